#include "sim/oracle.h"
void oracle_judge(struct cluster *c)
{
    (void)c;
}
