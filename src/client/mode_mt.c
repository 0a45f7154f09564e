#include "client/mode.h"

const bool client_mode_threaded = true;
