// A web server for `wasmrun exec`: it accepts on the socket that WASMHUB_LISTEN_FD names, with wasi-libc's own functions.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char FORM[] =
    "<h1>first words</h1><form method=post action=/said><input name=word><button>Say</button></form>";

static void answer(int connection, const char *content) {
  char page[9000], head[256];
  int length = snprintf(page, sizeof page,
                        "<!doctype html><title>C</title><link rel=icon href='data:,'>%s", content);
  int size = snprintf(head, sizeof head,
                      "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n"
                      "Connection: close\r\n\r\n", length);
  write(connection, head, size);
  write(connection, page, length);
}

static void serve(int connection) {
  char request[8192];
  size_t length = 0;
  for (;;) {
    ssize_t count = read(connection, request + length, sizeof request - 1 - length);
    if (count <= 0) return;
    length += count;
    request[length] = 0;
    char *body = strstr(request, "\r\n\r\n");
    if (body == NULL) continue;
    if (strncmp(request, "POST ", 5) != 0) return answer(connection, FORM);
    char *word = strstr(body, "word=");
    if (word == NULL) continue;
    char said[8300];
    snprintf(said, sizeof said, "<p id=said>%s</p>", word + 5);
    return answer(connection, said);
  }
}

int main(void) {
  const char *listener = getenv("WASMHUB_LISTEN_FD");
  if (listener == NULL) return 2;
  for (;;) {
    int connection = accept(atoi(listener), NULL, NULL);
    if (connection < 0) {
      perror("accept");
      return 1;
    }
    serve(connection);
    close(connection);
  }
}
