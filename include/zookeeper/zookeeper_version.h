/* The version of Apache's C client whose interface this one is. */
#ifndef ZOOKEEPER_VERSION_H_
#define ZOOKEEPER_VERSION_H_

#define ZOO_VERSION "3.8.0"

#endif
