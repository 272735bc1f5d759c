/* forms.c - prints the tables of what a configuration may say, a line a key: form, key, kind,
 * whether it is required, default, least and most, and words; for the tests of the manual and the
 * schema. */

#include "config/parts.h"

#include <inttypes.h>
#include <stdio.h>

static const struct weir_form *const forms[] = {
    &weir_form_top,      &weir_form_included, &weir_form_store,    &weir_form_caps,
    &weir_form_log,      &weir_form_listener, &weir_form_token,    &weir_form_tls,
    &weir_form_rule,     &weir_form_tests,    &weir_form_key_part, &weir_form_tiers,
    &weir_form_override, &weir_form_listed,   &weir_form_cost,
};

static const char *const kinds[] = {"node", "boolean", "number", "duration",
                                    "size", "text",    "choice", "list"};

int main(void)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        for (size_t j = 0; j < forms[i]->count; j++) {
            const struct weir_key *key = &forms[i]->keys[j];
            (void)printf("%s\t%s\t%s\t%d\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t", forms[i]->name,
                         key->name, kinds[key->kind], key->required, key->standard, key->least,
                         key->most);
            for (size_t k = 0; key->words != NULL && key->words[k] != NULL; k++) {
                (void)printf("%s%s", k > 0 ? "," : "", key->words[k]);
            }
            (void)printf("\n");
        }
    }
    return 0;
}
