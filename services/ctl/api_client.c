#include "services/ctl/api_client.h"

#include <curl/curl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/buf.h"
#include "proto/base/hex.h"
#include "services/ctl/files.h"

enum {
    ANSWER_MAX = 16 << 20,
    CONNECT_TIMEOUT_MS = 3000,
    TIMEOUT_MS = 40000, /* over the 30 s that `Prefer: wait` may ask for */
    KEY_FILE_MAX = 1024,
    IDEMPOTENCY_BYTES = 16,
};

#define HOW_TO_START "start one with `keyferry up`, or name it with --url and --api-key-file"

static bool read_key(struct api_client *client, const char *path, struct err *err) {
    char text[KEY_FILE_MAX];
    size_t len;

    if (!files_read(path, text, sizeof(text), &len, err))
        return err_recode(err, ERR_USAGE, "the API key");
    secret_set(&client->key, str_trim(str_of(text, len)));
    explicit_bzero(text, sizeof(text));
    return true;
}

static bool find_in_data_dir(struct api_client *client, const char *dir, bool named,
                             struct err *err) {
    struct err why = ERR_INIT;
    char path[600];
    size_t len;

    if (!files_path(path, sizeof(path), err, "%s/endpoint", dir))
        return false;
    if (!files_read(path, client->base_url, sizeof(client->base_url), &len, &why)) {
        if (why.code != ERR_NOT_FOUND || named)
            return err_set(err, ERR_USAGE, "no service runs in %s: " HOW_TO_START, dir);
        return err_set(err, ERR_USAGE, "no service runs here: " HOW_TO_START);
    }
    client->base_url[strcspn(client->base_url, "\r\n")] = '\0';
    client->local = true;
    return true;
}

bool api_client_open(struct api_client *client, const struct ctl_args *args, struct err *err) {
    const char *dir = ctl_args_value(args, CTL_DATA_DIR);
    const char *url = ctl_args_value(args, CTL_URL);
    const char *key_file = ctl_args_value(args, CTL_API_KEY_FILE);
    const char *key = getenv("KEYFERRY_API_KEY");
    char path[600];

    *client = API_CLIENT_INIT;
    if (!url && !dir)
        url = getenv("KEYFERRY_URL");
    if (url && *url) {
        if (!files_path(client->base_url, sizeof(client->base_url), err, "%s", url))
            return false;
    } else if (!find_in_data_dir(client, dir ? dir : "keyferry-data", dir != NULL, err)) {
        return false;
    }
    for (size_t len = strlen(client->base_url); len > 0 && client->base_url[len - 1] == '/';)
        client->base_url[--len] = '\0';

    if (key_file) {
        if (!read_key(client, key_file, err))
            return false;
    } else if (!dir && key && *key) {
        secret_set(&client->key, str_trim(str_from(key)));
    } else if (!files_path(path, sizeof(path), err, "%s/admin.key", dir ? dir : "keyferry-data") ||
               !read_key(client, path, err)) {
        return false;
    }
    client->handle = curl_easy_init();
    if (!client->handle)
        return err_set(err, ERR_MEMORY, "libcurl does not start");
    return true;
}

void api_client_close(struct api_client *client) {
    if (client->handle)
        curl_easy_cleanup(client->handle);
    secret_done(&client->key);
    *client = API_CLIENT_INIT;
}

static size_t take_bytes(char *bytes, size_t size, size_t count, void *out) {
    struct err err = ERR_INIT;

    return buf_append(out, str_of(bytes, size * count), &err) ? size * count : 0;
}

static struct curl_slist *headers(const struct api_client *client, const char *method,
                                  bool has_body) {
    unsigned char random[IDEMPOTENCY_BYTES];
    char line[KEY_FILE_MAX + 64], hex[2 * IDEMPOTENCY_BYTES + 1];
    struct curl_slist *list = NULL;

    snprintf(line, sizeof(line), "Authorization: Bearer " STR_FMT,
             STR_ARG(secret_str(&client->key)));
    list = curl_slist_append(list, line);
    explicit_bzero(line, sizeof(line));
    if (has_body)
        list = curl_slist_append(list, "Content-Type: application/json");
    if (strcmp(method, "POST") == 0 && RAND_bytes(random, sizeof(random)) == 1) {
        hex_encode(str_of(random, sizeof(random)), hex);
        snprintf(line, sizeof(line), "Idempotency-Key: %s", hex);
        list = curl_slist_append(list, line);
    }
    /* Without this libcurl waits a second for a "100 Continue" on larger bodies. */
    return curl_slist_append(list, "Expect:");
}

static bool failure(const struct api_client *client, CURLcode code, const char *text,
                    struct err *err) {
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return err_set(err, ERR_CONNECT, "no service answers at %s: " HOW_TO_START,
                       client->base_url);
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(err, ERR_RESOLVE, "%s: %s", client->base_url, text);
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(err, ERR_TIMEOUT, "%s: %s", client->base_url, text);
    case CURLE_WRITE_ERROR:
        return err_set(err, ERR_TOO_BIG, "the answer of %s is over %d bytes", client->base_url,
                       ANSWER_MAX);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return err_set(err, ERR_USAGE, "%s is no http:// or https:// URL", client->base_url);
    default:
        return err_set(err, ERR_CLOSED, "%s: %s", client->base_url, text);
    }
}

static const char *text_of(const json_t *object, const char *member) {
    const char *text = json_string_value(json_object_get(object, member));

    return text ? text : "";
}

bool api_client_problem(const json_t *document, long status, struct err *err) {
    enum err_code code = err_from_slug(text_of(document, "code"));
    const char *detail = text_of(document, "detail");
    json_t *field;
    size_t i;

    if (code == ERR_NONE)
        code = status == 401 ? ERR_UNAUTHORIZED : status >= 500 ? ERR_STORE : ERR_BAD_REQUEST;
    (void)err_set(err, code, "%s", *detail ? detail : err_title(code));
    json_array_foreach(json_object_get(document, "errors"), i, field) {
        (void)err_set(err, code, "%s: %s", text_of(field, "pointer"), text_of(field, "detail"));
        break;
    }
    return false;
}

static bool read_answer(const struct api_client *client, long status, const struct buf *answer,
                        json_t **ret, struct err *err) {
    json_error_t why;
    json_t *parsed = NULL;

    if (answer->len > 0) {
        parsed = json_loadb(answer->ptr, answer->len, JSON_DECODE_ANY, &why);
        if (!parsed && status < 400)
            return err_set(err, ERR_PROTOCOL, "%s does not answer JSON: is it a Keyferry?",
                           client->base_url);
    }
    if (status >= 400) {
        (void)api_client_problem(parsed, status, err);
        json_decref(parsed);
        return false;
    }
    if (ret)
        *ret = parsed ? parsed : json_null();
    else
        json_decref(parsed);
    return true;
}

static bool perform(struct api_client *client, struct curl_slist *list, const char *method,
                    const char *url, const char *body, json_t **ret, struct err *err) {
    struct buf answer = BUF_INIT(ANSWER_MAX);
    char text[CURL_ERROR_SIZE] = "";
    CURL *curl = client->handle;
    CURLcode code;
    long status = 0;
    bool ok;

    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    if (client->local)
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    else if (strcmp(method, "POST") == 0)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    ok = code == CURLE_OK ? read_answer(client, status, &answer, ret, err)
                          : failure(client, code, *text ? text : curl_easy_strerror(code), err);
    buf_done(&answer);
    return ok;
}

bool api_client_call(struct api_client *client, const char *method, const char *path,
                     const json_t *body, json_t **ret, struct err *err) {
    struct curl_slist *list = headers(client, method, body != NULL);
    struct err first = ERR_INIT;
    char *text = NULL;
    char url[1600];
    bool ok = files_path(url, sizeof(url), err, "%s%s", client->base_url, path);

    if (ok && body) {
        text = json_dumps(body, JSON_COMPACT);
        ok = text || err_set(err, ERR_MEMORY, "the request could not be written as JSON");
    }
    if (ok && !perform(client, list, method, url, text, ret, &first)) {
        ok = first.code == ERR_CLOSED && perform(client, list, method, url, text, ret, err);
        if (!ok && first.code != ERR_CLOSED)
            *err = first;
    }
    curl_slist_free_all(list);
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    return ok;
}

bool api_client_may_pass(const struct err *err) {
    switch (err->code) {
    case ERR_CONNECT:
    case ERR_CLOSED:
    case ERR_TIMEOUT:
    case ERR_STORE:
    case ERR_STORE_CONFLICT:
    case ERR_RATE_LIMITED:
        return true;
    default:
        return false;
    }
}
