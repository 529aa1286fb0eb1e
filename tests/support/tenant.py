"""An account of its own beside the operator's, as another team would have it."""

import requests


class Tenant:
    def __init__(self, url, operator, name="tenant", **members):
        """`operator` is a key that administrates the operator's account."""
        self.url = url
        made = self._call(operator, "POST", "/v1/accounts", dict({"name": name}, **members))
        assert made.status_code == 201, made.text
        self.id = made.json()["id"]
        self.key = self._call(operator, "POST", "/v1/api-keys", {
            "name": "first", "scopes": ["admin"], "account_id": self.id}).json()["key"]

    def _call(self, key, method, path, body=None, **headers):
        headers = dict({"Authorization": "Bearer " + key}, **headers)
        session = requests.Session()
        session.trust_env = False
        return session.request(method, self.url + path, json=body, headers=headers, timeout=60)

    def call(self, method, path, body=None, key=None, **headers):
        return self._call(key or self.key, method, path, body, **headers)

    def ok(self, method, path, body=None, **headers):
        answer = self.call(method, path, body, **headers)
        assert answer.status_code < 300, (method, path, answer.status_code, answer.text)
        return answer.json()

    def make_key(self, scopes=("read",), **members):
        return self.ok("POST", "/v1/api-keys", dict({"name": "k", "scopes": list(scopes)}, **members))
