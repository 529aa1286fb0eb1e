"""A certificate authority of a test's own, made with openssl(1) in a folder of the caller.

    authority = Authority(tmp_path)
    authority.sign("server", "IP:127.0.0.1,DNS:redis.example")
    server = RedisServer(*authority.server(port))    # speaks TLS on `port`
    authority.text("ca.crt")
"""

import subprocess


class Authority:
    def __init__(self, folder):
        self.folder = folder
        self.run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt",
                 "-days", "100", "-subj", "/CN=ca")

    def run(self, *arguments):
        subprocess.run(("openssl",) + arguments, cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def sign(self, name, san, days=100):
        self.run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key",
                 "-out", name + ".csr", "-subj", "/CN=" + name)
        (self.folder / "ext").write_text("subjectAltName=" + san)
        self.run("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                 "-CAcreateserial", "-out", name + ".crt", "-days", str(days), "-extfile", "ext")

    def text(self, name):
        return (self.folder / name).read_text()

    def server(self, port, certificate="server", client_certificates="no"):
        """Arguments of a server that speaks TLS on `port`."""
        return ("--tls-port", str(port), "--tls-cert-file", str(self.folder / (certificate + ".crt")),
                "--tls-key-file", str(self.folder / (certificate + ".key")),
                "--tls-ca-cert-file", str(self.folder / "ca.crt"), "--tls-auth-clients", client_certificates)
