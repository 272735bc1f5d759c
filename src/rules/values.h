/* values.h - the names that a policy speaks of, and a request's values of them (values.c).
 *
 * Each name has a number, its slot. A request's attributes are looked up once; from then on a value
 * is found by its slot. */

#ifndef WEIR_RULES_VALUES_H
#define WEIR_RULES_VALUES_H

#include "base/arena.h"
#include "base/hash.h"
#include "rules/address.h"
#include "rules/regex.h"
#include "rules/rules.h"

/* No slot: of a name that a rule may leave out. */
#define WEIR_SLOT_NONE UINT32_MAX

struct weir_names {
    struct weir_bytes *names; /* by slot; borrowed */
    uint32_t count;
    uint32_t room;
    uint32_t *places; /* slot + 1, by hash; twice as many as room */
    struct weir_sip start;
    struct weir_arena *arena;
};

/* The slot of a name, a new one where it has none. False: no memory. */
bool weir_names_add(struct weir_names *names, struct weir_bytes name, uint32_t *ret_slot);

/* The slot of a name, or WEIR_SLOT_NONE. */
uint32_t weir_names_find(const struct weir_names *names, struct weir_bytes name);

struct weir_value {
    struct weir_bytes bytes;
    uint32_t slot;
    bool looked_at; /* whether it is an address, for `address` */
    struct weir_address address;
};

#define WEIR_VALUE_PLACES (2 * WEIR_ATTRIBUTES_MAX)

/* A request's values of the names that the policy has. */
struct weir_values {
    uint32_t count;
    uint8_t places[WEIR_VALUE_PLACES]; /* index + 1, by slot */
    struct weir_matcher *matcher;      /* NULL where the policy has no regular expression */
    struct weir_value values[WEIR_ATTRIBUTES_MAX];
};

/* Looks up the attributes. Errors, with a message: WEIR_ERR_ARGUMENT. */
WEIR_MUST_CHECK enum weir_status weir_values_bind(struct weir_values *values,
                                                  const struct weir_names *names,
                                                  const struct weir_inquiry_spec *inquiry,
                                                  struct weir_error *ret_error);

/* The value of a slot, or NULL. */
static inline struct weir_value *weir_values_get(struct weir_values *values, uint32_t slot)
{
    for (uint32_t at = slot % WEIR_VALUE_PLACES;; at = (at + 1) % WEIR_VALUE_PLACES) {
        const uint8_t place = values->places[at];
        if (place == 0) {
            return NULL;
        }
        if (values->values[place - 1].slot == slot) {
            return &values->values[place - 1];
        }
    }
}

/* The value as an address, of family NONE where it is none; read once. */
static inline const struct weir_address *weir_value_address(struct weir_value *value)
{
    if (!value->looked_at) {
        value->looked_at = true;
        value->address.family = WEIR_FAMILY_NONE;
        (void)weir_address_read(value->bytes, &value->address);
    }
    return &value->address;
}

static inline bool weir_same_bytes(struct weir_bytes a, struct weir_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
