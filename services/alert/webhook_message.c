#include "services/alert/webhook_message.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/alert/alert_rule.h"

static const char secret_prefix[] = "whsec_";

char *webhook_message_standard(const char *type, const char *timestamp, json_t *data_taken) {
    json_t *message =
        json_pack("{s:s, s:s, s:o}", "type", type, "timestamp", timestamp, "data", data_taken);
    char *text = json_dumps(message, JSON_COMPACT);

    json_decref(message);
    if (!text)
        abort();
    return text;
}

static json_t *text_or_null(const json_t *from, const char *name) {
    json_t *value = json_object_get(from, name);

    return json_is_string(value) ? json_incref(value) : json_string("");
}

char *webhook_message_alertmanager(const json_t *alerts) {
    json_t *all = json_array();
    const json_t *a;
    char *text;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)alerts, i, a) {
        enum alert_type type = ALERT_ERROR;
        const char *name = json_string_value(json_object_get(a, "type"));

        (void)!alert_type_parse(name, &type);
        json_array_append_new(
            all,
            json_pack("{s:{s:s, s:o, s:o, s:o, s:o, s:o}, s:{s:s, s:o}, s:o, s:o}", "labels",
                      "alertname", "KeyferryJob", "type", text_or_null(a, "type"), "severity",
                      text_or_null(a, "severity"), "job_id", text_or_null(a, "job_id"), "job_name",
                      text_or_null(a, "job_name"), "rule_id", text_or_null(a, "rule_id"),
                      "annotations", "summary", alert_type_row(type)->title, "description",
                      text_or_null(a, "detail"), "startsAt", text_or_null(a, "fired_at"), "endsAt",
                      text_or_null(a, "ends_at")));
    }
    text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    if (!text)
        abort();
    return text;
}

bool webhook_secret_parse(const char *text, unsigned char ret[WEBHOOK_SECRET_SIZE], size_t *ret_len,
                          struct err *err) {
    unsigned char bytes[WEBHOOK_SECRET_SIZE + 4];
    size_t len, padding = 0;
    int got;

    if (strncmp(text, secret_prefix, strlen(secret_prefix)) != 0)
        return err_set(err, ERR_VALIDATION, "a signing secret begins with whsec_");
    text += strlen(secret_prefix);
    len = strlen(text);
    while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
        padding++;
    if (len % 4 != 0 || len / 4 * 3 - padding < 24 || len / 4 * 3 - padding > WEBHOOK_SECRET_SIZE)
        return err_set(err, ERR_VALIDATION,
                       "a signing secret is whsec_ and the base64 of 24 to 64 bytes");
    got = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)len);
    if (got < 0)
        return err_set(err, ERR_VALIDATION, "a signing secret is base64 behind whsec_");
    *ret_len = (size_t)got - padding;
    memcpy(ret, bytes, *ret_len);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return true;
}

bool webhook_secret_make(char ret[WEBHOOK_SECRET_TEXT_SIZE], struct err *err) {
    unsigned char bytes[32];
    size_t at = strlen(secret_prefix);

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return err_set(err, ERR_INTERNAL, "no random bytes for a signing secret");
    memcpy(ret, secret_prefix, at);
    EVP_EncodeBlock((unsigned char *)ret + at, bytes, sizeof(bytes));
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return true;
}

bool webhook_message_sign(const char *secret, const char *id, int64_t timestamp_s, struct str body,
                          struct buf *out, struct err *err) {
    unsigned char key[WEBHOOK_SECRET_SIZE], mac[EVP_MAX_MD_SIZE];
    char text[EVP_MAX_MD_SIZE * 2], head[128];
    struct buf signed_text = BUF_INIT(WEBHOOK_BODY_MAX * 4);
    size_t key_len;
    unsigned mac_len = 0;
    bool ok;

    snprintf(head, sizeof(head), "%s.%" PRId64 ".", id, timestamp_s);
    ok = webhook_secret_parse(secret, key, &key_len, err) &&
         buf_append(&signed_text, str_from(head), err) && buf_append(&signed_text, body, err);
    if (ok && !HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)signed_text.ptr,
                    signed_text.len, mac, &mac_len))
        ok = err_set(err, ERR_INTERNAL, "HMAC-SHA256 failed");
    if (ok) {
        EVP_EncodeBlock((unsigned char *)text, mac, (int)mac_len);
        ok = (out->len == 0 || buf_append(out, STR_LIT(" "), err)) &&
             buf_append(out, STR_LIT("v1,"), err) && buf_append(out, str_from(text), err);
    }
    OPENSSL_cleanse(key, sizeof(key));
    buf_done(&signed_text);
    return ok;
}
