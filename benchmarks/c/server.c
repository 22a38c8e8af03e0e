/* The limit: the same work in C on libssl and epoll, and nothing else.
 *
 *   server --work echo|sink|source [--cert FILE --key FILE [--client-ca FILE]] [--release 1]
 *
 * Without a certificate it serves plain TCP.  It prints "PORT n", and ends when
 * its standard input does.  --release gives libssl's buffers back when a
 * connection is idle, which costs time and saves memory. */
#include "common.h"

#define EVENTS 256

enum work { ECHO, SINK, SOURCE };

typedef struct {
  int fd;
  SSL *ssl;
  int accepted;      /* the handshake is complete */
  uint32_t watching; /* what epoll watches for */
  uint64_t got;
  unsigned char *kept; /* what could not be sent yet */
  size_t kept_at, kept_size;
  size_t at; /* a source's place in the pattern */
} connection;

static enum work work;
static SSL_CTX *context;
static int poller;
static unsigned char block[BLOCK];

static void watch(connection *c, uint32_t events)
{
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (events != c->watching) {
    epoll_ctl(poller, c->watching ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event);
    c->watching = events;
  }
}

static void end(connection *c, long why)
{
  if (c->ssl) {
    if (why == ENDED)
      SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
  }
  close(c->fd);
  free(c->kept);
  free(c);
}

/* Send, or keep what the kernel refuses. */
static long answer(connection *c, const unsigned char *data, size_t size)
{
  size_t done = 0;
  while (done < size) {
    long n = put(c->fd, c->ssl, data + done, size - done);
    if (n < 0)
      return n;
    if (n == LATER) {
      c->kept = malloc(size - done);
      c->kept_at = 0;
      c->kept_size = size - done;
      memcpy(c->kept, data + done, size - done);
      watch(c, EPOLLOUT);
      break;
    }
    done += (size_t)n;
  }
  return (long)done;
}

static long send_kept(connection *c)
{
  while (c->kept_at < c->kept_size) {
    long n = put(c->fd, c->ssl, c->kept + c->kept_at, c->kept_size - c->kept_at);
    if (n <= 0)
      return n;
    c->kept_at += (size_t)n;
  }
  free(c->kept);
  c->kept = NULL;
  watch(c, EPOLLIN);
  return 1;
}

static long pour(connection *c)
{
  for (int turns = 0; turns < 16; turns++) {
    long n = put(c->fd, c->ssl, pattern + c->at, BLOCK);
    if (n <= 0)
      return n;
    c->at = (c->at + (size_t)n) % BLOCK;
  }
  return 1;
}

static long digest(connection *c, size_t size)
{
  uint64_t before = c->got / ACKNOWLEDGED;
  c->got += size;
  if (work == ECHO)
    return answer(c, block, size);
  if (work == SINK && c->got / ACKNOWLEDGED != before)
    return answer(c, (const unsigned char *)"kkkk", (size_t)(c->got / ACKNOWLEDGED - before));
  return 1;
}

static long serve(connection *c)
{
  long n;
  if (!c->accepted) {
    if (c->ssl) {
      ERR_clear_error();
      errno = 0;
      int result = SSL_accept(c->ssl);
      if (result != 1)
        return tls_result(c->ssl, result);
    }
    c->accepted = 1;
    if (work == SOURCE)
      watch(c, EPOLLIN | EPOLLOUT);
  }
  if (c->kept && (n = send_kept(c)) <= 0)
    return n;
  if (work == SOURCE && (n = pour(c)) < 0)
    return n;
  do {
    n = take(c->fd, c->ssl, block, BLOCK);
    if (n <= 0)
      return n;
    n = digest(c, (size_t)n);
    if (n < 0)
      return n;
  } while (!c->kept && c->ssl && SSL_has_pending(c->ssl));
  return 1;
}

static void welcome(int listening)
{
  for (int i = 0; i < 64; i++) {
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
      return;
    connection *c = calloc(1, sizeof *c);
    c->fd = fd;
    set_nodelay(fd);
    if (context) {
      c->ssl = SSL_new(context);
      SSL_set_fd(c->ssl, fd);
    }
    watch(c, EPOLLIN);
    long result = serve(c);
    if (result < 0)
      end(c, result);
  }
}

static SSL_CTX *make_context(int argc, char **argv, const char *certificate)
{
  const char *authority = option(argc, argv, "client-ca", NULL);
  SSL_CTX *made = SSL_CTX_new(TLS_server_method());
  set_modes(made);
  if (atoi(option(argc, argv, "release", "0")))
    SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_use_certificate_chain_file(made, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(made, option(argc, argv, "key", certificate), SSL_FILETYPE_PEM) != 1)
    fail("certificate or key");
  SSL_CTX_set_session_id_context(made, (const unsigned char *)"bench", 5);
  if (authority) {
    if (SSL_CTX_load_verify_locations(made, authority, NULL) != 1)
      fail("client-ca");
    SSL_CTX_set_verify(made, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  }
  return made;
}

int main(int argc, char **argv)
{
  const char *kind = option(argc, argv, "work", "echo"), *certificate = option(argc, argv, "cert", NULL);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  struct epoll_event events[EVENTS];
  int on = 1, listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  char mark_listening, mark_input;

  work = !strcmp(kind, "echo") ? ECHO : !strcmp(kind, "sink") ? SINK : SOURCE;
  fill_pattern();
  raise_descriptor_limit();
  signal(SIGPIPE, SIG_IGN);
  if (certificate)
    context = make_context(argc, argv, certificate);
  setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listening, (struct sockaddr *)&address, sizeof address) || listen(listening, 1024))
    fail("listen: %s", strerror(errno));
  getsockname(listening, (struct sockaddr *)&address, &length);
  printf("PORT %d\n%s\n", ntohs(address.sin_port), OpenSSL_version(OPENSSL_VERSION));
  fflush(stdout);

  poller = epoll_create1(0);
  epoll_ctl(poller, EPOLL_CTL_ADD, listening,
            &(struct epoll_event){.events = EPOLLIN, .data.ptr = &mark_listening});
  epoll_ctl(poller, EPOLL_CTL_ADD, 0, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &mark_input});
  while (1) {
    int count = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      void *which = events[i].data.ptr;
      if (which == &mark_input)
        return 0;
      if (which == &mark_listening) {
        welcome(listening);
      } else {
        long result = serve(which);
        if (result < 0)
          end(which, result);
      }
    }
  }
}
