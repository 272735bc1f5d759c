/* private_network.h - a network of the test's own, whose packets it may drop, lose and refuse.
 *
 * The program starts itself anew in a network namespace in which there is nothing but `lo`; servers
 * and clients are all inside, on 127.0.0.1, and what befalls their packets is a rule of nftables on
 * their way in, so that the sender can't know. Needs the programs unshare, ip and nft, and either
 * root or a kernel that lets users have namespaces; where one of these is missing the process ends.
 */

#ifndef WEIR_TEST_SUPPORT_PRIVATE_NETWORK_H
#define WEIR_TEST_SUPPORT_PRIVATE_NETWORK_H

#include <stdbool.h>

/* The first thing in main: returns inside, where `lo` is up and no rule holds. */
void private_network_enter(char *const *words);

/* Adds a rule for the packets that come in, as "tcp dport 6379 drop". It holds when this returns,
 * after those that were added before. */
void private_network_rule(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Takes all rules away. */
void private_network_heal(void);

/* Pulls the cable, and puts it back. */
void private_network_plug(bool in);

#endif
