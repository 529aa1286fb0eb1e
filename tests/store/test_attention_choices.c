#include <stdio.h>
#include <string.h>

#include "services/job/job_edit.h"
#include "services/worker/attention.h"
#include "sql/store_job.h"
#include "tests/support/cunit_run.h"
#include "tests/support/store_fixture.h"
#include "web-api/route.h"

static const struct route *route_of(const char *action) {
    bool patch = strcmp(action, "patch") == 0;
    char path[64];

    snprintf(path, sizeof(path), "/v1/jobs/{job}%s%s", patch ? "" : "/", patch ? "" : action);
    for (size_t i = 0; i < route_count; i++) {
        if (strcmp(routes[i].method, patch ? "PATCH" : "POST") == 0 &&
            strcmp(routes[i].path, path) == 0)
            return &routes[i];
    }
    return NULL;
}

/* The choice is an edit of the blocked job itself. */
static int status_of_patch(const char *account, const json_t *body, struct err *err) {
    static const struct keyring ring = {
        .keys = {{.id = 1, .key = "0123456789abcdef0123456789abcde"}}, .count = 1};
    char id[STORE_ID_SIZE];
    struct job_move move = {.account = account, .actor = "key:test"};
    json_t *errors = NULL;
    bool ok;

    store_fixture_job_in(account, "blocked", id);
    ok = job_edit_patch(store_fixture(), &ring, id, &move, body, &errors, err);
    json_decref(errors);
    return ok ? 200 : 0;
}

/* What the API answers when a person takes that choice of a blocked job. */
static int status_of(const char *account, const char *action, json_t *body, struct err *err) {
    struct arena arena = ARENA_INIT;
    struct request request = {.arena = &arena};
    struct reply reply = REPLY_INIT(&arena);
    struct call call = {.request = &request, .arena = &arena, .body = body};
    char id[STORE_ID_SIZE];
    int status = 0;

    call.route = route_of(action);
    CU_ASSERT_PTR_NOT_NULL_FATAL(call.route);
    if (strcmp(action, "patch") == 0)
        return status_of_patch(account, body, err);
    store_fixture_job_in(account, "blocked", id);
    call.param[0] = str_from(id);
    call.store = store_fixture();
    snprintf(call.caller.account, sizeof(call.caller.account), "%s", account);
    snprintf(call.caller.actor, sizeof(call.caller.actor), "key:test");
    if (call.route->handle(&call, &reply, err))
        status = reply.status;
    json_decref(call.fields);
    json_decref(call.before);
    json_decref(call.after);
    arena_done(&arena);
    return status;
}

static void every_choice_a_question_offers_is_one_the_api_takes(void) {
    char account[STORE_ID_SIZE];
    size_t taken = 0;

    store_fixture_account(account);
    for (int i = ERR_NONE + 1; i < ERR_COUNT; i++) {
        json_t *question, *choice;
        size_t at;

        if (!attention_knows((enum err_code)i))
            continue;
        question = attention_of((enum err_code)i, "2026-01-01T00:00:00.000Z", "why");
        json_array_foreach(json_object_get(question, "choices"), at, choice) {
            const char *action = json_string_value(json_object_get(choice, "action"));
            struct err err = ERR_INIT;

            int status = status_of(account, action, json_object_get(choice, "body"), &err);

            if (status == 202 || (status == 200 && strcmp(action, "patch") == 0)) {
                taken++;
            } else {
                fprintf(stderr, "%s offers %s: %s\n", err_slug((enum err_code)i), action,
                        err_slug(err.code));
                CU_FAIL("a choice that is refused");
            }
        }
        json_decref(question);
    }
    CU_ASSERT(taken > 30);
}

/* The other way round: what is refused today is refused here too, so the test above can fail. */
static void an_answer_that_is_not_known_is_refused(void) {
    json_t *body = json_pack("{s:s}", "on_full_resync_needed", "sometimes");
    char account[STORE_ID_SIZE];
    struct err err = ERR_INIT;

    store_fixture_account(account);
    CU_ASSERT_EQUAL(status_of(account, "resume", body, &err), 0);
    CU_ASSERT_EQUAL(err.code, ERR_VALIDATION);
    json_decref(body);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_choice_a_question_offers_is_one_the_api_takes),
    CUNIT_TEST(an_answer_that_is_not_known_is_refused),
};
STORE_FIXTURE_MAIN("attention_choices", true, tests)
