/* config_peers: the server, group and weight lines as struct config_peer. For config.c. */
#ifndef ZOKOR_SERVER_CONFIG_PEERS_H
#define ZOKOR_SERVER_CONFIG_PEERS_H

#include "server/config.h"

/* Fills peers, peer_count, distributed from server_lines, group_lines and weight_lines. ERR_INVALID with `why`
 * "server.1: 'x' does not have the form ..." and *line the line of the culprit (0: no single one). */
int config_parse_peers(struct config *config, struct buf *why, int *line);

/* Appends the ensemble's text, as servers tell it each other and as /zookeeper/config shows it (quorum specification
 * 1.4): servers by id, groups, weights, the version of the dynamic file; no newline at the end. A clientPort that only
 * zoo.cfg's own key gives is not in it, as in Apache's. */
void config_put_members(const struct config *config, struct buf *b);

/* The peer of this id, or NULL. */
struct config_peer *config_peer_find(const struct config *config, int64_t id);

#endif
