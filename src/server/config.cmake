# Configuration is a small pure room of its own inside server: files come through a reader that is handed in.
room(config PURE
  SOURCES config.c config_help.c config_lines.c config_peers.c config_table.c
  DEPENDS base)
room_test(config config_test.c config_lines_test.c config_page_test.c WITH base)
