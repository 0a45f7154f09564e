/* login_state: where a login by SASL stands. Both sides of the core's edge need the words. */
#ifndef ZOKOR_CLIENT_LOGIN_STATE_H
#define ZOKOR_CLIENT_LOGIN_STATE_H

enum login_state {
    LOGIN_MORE,   /* the token is for the server, and its next one is awaited */
    LOGIN_LAST,   /* the token is for the server, and only whether it agrees is awaited */
    LOGIN_DONE,   /* nothing more is to be said: both know who the other is */
    LOGIN_FAILED, /* it ends here */
};

#endif
