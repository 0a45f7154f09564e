# Configuration is a small pure room of its own inside server: files come through a reader that is handed in.
room(config PURE
  SOURCES config.c config_help.c config_peers.c config_table.c config_words.c
  DEPENDS base)
room_test(config config_test.c config_page_test.c config_words_test.c WITH base)
room_test(config config_peers_test.c WITH base wire zab)
