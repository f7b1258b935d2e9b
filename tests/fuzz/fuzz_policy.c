/* Policy documents: what is accepted answers any question, and a text that is refused names its code. The first byte
 * chooses a bucket's policy or a session's. */
#include "support/fuzz.h"
#include "tarn/access/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena *a = arena_create();
    const policy *p = NULL;
    error err = ERROR_INIT;

    if (size > 0) {
        policy_use use = (data[0] & 1) != 0 ? POLICY_OF_SESSION : POLICY_OF_BUCKET;
        str text = str_from((const char *)data + 1, size - 1);
        if (policy_parse(text, use, STR("box"), a, &p, &err) != STATUS_OK) {
            ASSERT(err.message[0] != '\0');
        } else {
            const policy_question question = {.principal_id = STR("id"),
                                              .account = STR("123456789012"),
                                              .action = STR("s3:GetObject"),
                                              .resource = STR("arn:aws:s3:::box/key")};
            policy_effect effect = policy_ask(p, &question);
            ASSERT(effect == POLICY_SILENT || effect == POLICY_ALLOW || effect == POLICY_DENY);
        }
    }
    arena_free(a);
    return 0;
}
