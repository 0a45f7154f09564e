/* Ends one expansion of config_keys.def. Included many times on purpose: it has no guard. */
#undef SECTION
#undef BOOL
#undef YESNO
#undef INT
#undef LONG
#undef REAL
#undef TEXT
#undef SECRET
#undef PATH
#undef LIST
#undef ENUM
#undef FAMILY
