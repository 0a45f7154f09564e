/* oracle: judges a whole chronicle, exactly and in linear time: every transaction is replayed in the order of zxids on
 * an independent model of the tree; every reply, read and event is compared with what the model says at its zxid
 * (reliability 3.3). */
#ifndef ZOKOR_SIM_ORACLE_H
#define ZOKOR_SIM_ORACLE_H

struct cluster;

/* Sets c->finding if something is wrong; counts what it saw in c->coverage. The members still stand. */
void oracle_judge(struct cluster *c);

#endif
