/* The load: many connections from one thread, and what the server spent on them.
 *
 *   load --work echo|in|out|both|handshake|idle --port N [--tls 1.2|1.3|none]
 *        [--connections N] [--size BYTES] [--warmup S] [--seconds S] [--pid SERVER]
 *        [--ca FILE] [--key EC|RSA] [--resume 1] [--client-cert FILE --client-key FILE]
 *
 * echo       each connection sends a message, and the next one when it is back
 * in         streams to a sink, which acknowledges each MiB
 * out        streams from a source
 * both       streams to an echo and back, at most a window ahead
 * handshake  connects, completes the handshake, says goodbye, and again
 * idle       connects, echoes one message, says "idle", and waits for the end of its input
 *
 * Every byte that comes back is compared with what it must be.  One group and one
 * cipher are offered, so that every server does the same arithmetic; the version,
 * cipher, group, kind of key and resumption of each connection are checked.  The
 * server's CPU time (its clock: nanoseconds, user and system) is read at the two
 * ends of the same interval in which the work is counted.
 *
 * The result is one line of JSON.  Anything wrong is a message and status 1. */
#include "common.h"
#include <time.h>

#define EVENTS 256
#define WINDOW (1 << 20)
#define GROUP "X25519"
#define DEADLINE 30.0

enum work { ECHO, IN, OUT, BOTH, HANDSHAKE, IDLE };
static const char *const names[] = {"echo", "in", "out", "both", "handshake", "idle"};
enum state { CONNECTING, SHAKING, RUNNING, LEAVING, IDLING };

typedef struct {
  int fd, number;
  SSL *ssl;
  SSL_SESSION *session;
  enum state state;
  uint32_t watching;
  size_t offset;       /* of the present message in the pattern */
  size_t sent, got;    /* of the present message */
  uint64_t out, in;    /* of a stream */
  int offered;         /* a session was */
} connection;

static enum work work;
static int count, resume, tls, peer_kind, poller, port;
static size_t size;
static SSL_CTX *context;
static const char *cipher;
static unsigned char block[BLOCK];
static uint64_t operations, bytes, handshakes, resumed, resets, turns;
static int running; /* connections that have got through their handshake */

static double now(clockid_t clock)
{
  struct timespec time;
  if (clock_gettime(clock, &time))
    fail("the server's CPU clock: %s", strerror(errno));
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void watch(connection *c, uint32_t events)
{
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (events != c->watching) {
    if (epoll_ctl(poller, c->watching ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event))
      fail("epoll_ctl: %s", strerror(errno));
    c->watching = events;
  }
}

/* ---- what must hold of every connection ------------------------------------- */

static void check(connection *c)
{
  SSL *ssl = c->ssl;
  EVP_PKEY *key;
  int kind = -1;

  if (strcmp(SSL_get_cipher_name(ssl), cipher))
    fail("cipher: %s, not %s", SSL_get_cipher_name(ssl), cipher);
  if (SSL_version(ssl) != tls)
    fail("version: %s", SSL_get_version(ssl));
  handshakes++;
  if (SSL_session_reused(ssl)) {
    resumed++;
    if (tls == TLS1_2_VERSION)
      return; /* no key was agreed on anew */
  }
  if (!SSL_get_peer_tmp_key(ssl, &key))
    fail("group: none is known");
  kind = EVP_PKEY_base_id(key);
  EVP_PKEY_free(key);
  if (kind != EVP_PKEY_X25519)
    fail("group: not " GROUP);
  if (SSL_session_reused(ssl))
    return;
  X509 *certificate = SSL_get_peer_certificate(ssl);
  if (!certificate)
    fail("the server has no certificate");
  kind = EVP_PKEY_base_id(X509_get0_pubkey(certificate));
  X509_free(certificate);
  if (kind != peer_kind)
    fail("the server's key is of another kind");
}

/* The chain is verified once: the load must not be what takes the time. */
static int verify(X509_STORE_CTX *store, void *nothing)
{
  static int done;
  (void)nothing;
  if (!done && X509_verify_cert(store) != 1)
    return 0;
  done = 1;
  return 1;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
  connection *c = SSL_get_app_data(ssl);
  SSL_SESSION_free(c->session);
  c->session = session;
  return 1;
}

static SSL_CTX *make_context(int argc, char **argv)
{
  SSL_CTX *made = SSL_CTX_new(TLS_client_method());
  const char *ca = option(argc, argv, "ca", NULL), *own = option(argc, argv, "client-cert", NULL);
  int rsa = peer_kind == EVP_PKEY_RSA;

  set_modes(made);
  SSL_CTX_set_min_proto_version(made, tls);
  SSL_CTX_set_max_proto_version(made, tls);
  cipher = tls == TLS1_3_VERSION ? "TLS_AES_256_GCM_SHA384"
           : rsa                 ? "ECDHE-RSA-AES256-GCM-SHA384"
                                 : "ECDHE-ECDSA-AES256-GCM-SHA384";
  /* TLS 1.2 wants the curve of the server's certificate in this list as well (RFC 8422, section 4). */
  if (!SSL_CTX_set1_groups_list(made, tls == TLS1_3_VERSION ? GROUP : GROUP ":P-256") || !(tls == TLS1_3_VERSION ? SSL_CTX_set_ciphersuites(made, cipher)
                                                                        : SSL_CTX_set_cipher_list(made, cipher)))
    fail("group or cipher");
  if (!ca || SSL_CTX_load_verify_locations(made, ca, NULL) != 1)
    fail("ca");
  SSL_CTX_set_verify(made, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_cert_verify_callback(made, verify, NULL);
  if (own && (SSL_CTX_use_certificate_chain_file(made, own) != 1 ||
              SSL_CTX_use_PrivateKey_file(made, option(argc, argv, "client-key", own), SSL_FILETYPE_PEM) != 1))
    fail("client-cert or client-key");
  if (resume) {
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(made, keep_session);
  }
  return made;
}

/* ---- one connection ----------------------------------------------------------- */

static void step(connection *c);

/* What streams sends four records at a time: who sends each by itself is busier than a server that reads them. */
static void join_records(SSL *ssl)
{
  BIO *joined = BIO_new(BIO_f_buffer()), *socket = SSL_get_wbio(ssl);
  if (!joined || BIO_set_write_buffer_size(joined, BLOCK) != 1 || !BIO_up_ref(socket))
    fail("no buffer for what is sent");
  SSL_set0_wbio(ssl, BIO_push(joined, socket));
}

static void begin(connection *c)
{
  static unsigned next;
  /* Many addresses, so that ports which wait out their time are no limit. */
  struct sockaddr_in from = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + next++ % 200)};
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
  int on = 1;

  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0)
    fail("socket: %s", strerror(errno));
  set_nodelay(c->fd);
  setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (bind(c->fd, (struct sockaddr *)&from, sizeof from))
    fail("bind: %s", strerror(errno));
  c->state = CONNECTING;
  c->watching = 0;
  c->sent = c->got = c->out = c->in = 0;
  c->offset = (size_t)(c->number * 7919) % BLOCK;
  if (connect(c->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)
    fail("connect: %s", strerror(errno));
  if (context) {
    c->ssl = SSL_new(context);
    SSL_set_fd(c->ssl, c->fd);
    if (work == IN)
      join_records(c->ssl);
    SSL_set_connect_state(c->ssl);
    SSL_set_app_data(c->ssl, c);
    c->offered = resume && c->session;
    if (c->offered)
      SSL_set_session(c->ssl, c->session);
  }
  watch(c, EPOLLIN | EPOLLOUT);
}

static void end(connection *c)
{
  SSL_free(c->ssl);
  c->ssl = NULL;
  close(c->fd);
}

static void lost(connection *c, long why, const char *when)
{
  fail("connection %d was %s by the server %s (%s)", c->number, why == ENDED ? "ended" : "broken", when,
       errno ? strerror(errno) : "no error of the system");
}

static void echo(connection *c)
{
  long n;
  while (1) {
    while (c->sent < size) {
      n = put(c->fd, c->ssl, pattern + c->offset + c->sent, size - c->sent);
      if (n < 0)
        lost(c, n, "while sending");
      if (n == LATER) {
        watch(c, EPOLLIN | EPOLLOUT);
        break;
      }
      c->sent += (size_t)n;
    }
    if (c->sent == size)
      watch(c, EPOLLIN);
    while (c->got < size) {
      n = take(c->fd, c->ssl, block, size - c->got);
      if (n < 0)
        lost(c, n, "while receiving");
      if (n == LATER)
        return;
      if (c->got + (size_t)n > c->sent || memcmp(block, pattern + c->offset + c->got, (size_t)n))
        fail("connection %d got back what it had not sent", c->number);
      c->got += (size_t)n;
    }
    operations++;
    bytes += size;
    c->sent = c->got = 0;
    c->offset = (c->offset + 31) % BLOCK;
    if (work == IDLE) {
      c->state = IDLING;
      running++;
      return;
    }
    /* Send the next; its answer cannot be here yet. */
    n = put(c->fd, c->ssl, pattern + c->offset, size);
    if (n < 0)
      lost(c, n, "while sending");
    c->sent = (size_t)n;
    if (c->sent == size)
      return;
  }
}

static void stream(connection *c)
{
  long n;
  int want = EPOLLIN, most = work == IN ? 16 : 4;
  for (int i = 0; work != OUT && i < most; i++) {
    if (work == BOTH && c->out - c->in >= WINDOW)
      break;
    n = put(c->fd, c->ssl, pattern + c->out % BLOCK, BLOCK);
    if (n < 0)
      lost(c, n, "while sending");
    if (n == LATER || i == most - 1)
      want |= EPOLLOUT;
    if (n == LATER)
      break;
    c->out += (uint64_t)n;
  }
  for (int i = 0; i < 16; i++) {
    n = take(c->fd, c->ssl, block, BLOCK);
    if (n < 0)
      lost(c, n, "while receiving");
    if (n == LATER)
      break;
    if (work == IN) {
      bytes += (uint64_t)n * ACKNOWLEDGED;
    } else {
      if (memcmp(block, pattern + c->in % BLOCK, (size_t)n))
        fail("connection %d got what it should not", c->number);
      bytes += (uint64_t)n;
    }
    c->in += (uint64_t)n;
    operations = bytes;
  }
  if (work == IN && c->in * ACKNOWLEDGED > c->out)
    fail("the sink acknowledges what it was not sent");
  if (work == BOTH && c->out - c->in < WINDOW)
    want |= EPOLLOUT;
  /* What libssl has read ahead makes no socket readable. */
  if (c->ssl && n > 0 && SSL_has_pending(c->ssl))
    want |= EPOLLOUT;
  watch(c, (uint32_t)want);
}

static void leave(connection *c)
{
  long n = take(c->fd, c->ssl, block, BLOCK);
  if (n == LATER)
    return;
  if (n > 0)
    fail("the server has sent what nobody asked for");
  if (n == BROKEN) {
    if (errno != ECONNRESET)
      lost(c, n, "after the handshake");
    resets++;
  }
  operations++;
  if (resume && !c->session)
    fail("the server gives no session");
  end(c);
  begin(c);
}

static void shake(connection *c)
{
  if (c->ssl) {
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(c->ssl);
    if (result != 1) {
      long why = tls_result(c->ssl, result);
      if (why < 0)
        lost(c, why, "in the handshake");
      watch(c, EPOLLIN);
      return;
    }
    check(c);
  }
  if (work == HANDSHAKE) {
    if (c->offered && !SSL_session_reused(c->ssl))
      fail("the session was not resumed");
    turns++;
    c->state = LEAVING;
    if (c->ssl)
      SSL_shutdown(c->ssl);
    else
      shutdown(c->fd, SHUT_WR);
    watch(c, EPOLLIN);
  } else {
    c->state = RUNNING;
    if (work != IDLE)
      running++;
  }
  step(c);
}

static void step(connection *c)
{
  int error = 0;
  socklen_t length = sizeof error;
  switch (c->state) {
  case CONNECTING:
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error)
      fail("connect: %s", strerror(error));
    c->state = SHAKING;
    shake(c);
    break;
  case SHAKING:
    shake(c);
    break;
  case RUNNING:
    if (work == ECHO || work == IDLE)
      echo(c);
    else
      stream(c);
    break;
  case LEAVING:
    leave(c);
    break;
  case IDLING: {
    long n = take(c->fd, c->ssl, block, BLOCK);
    if (n != LATER)
      lost(c, n, "while idle");
  }
  }
}

/* ---- the run -------------------------------------------------------------------- */

int main(int argc, char **argv)
{
  const char *version = option(argc, argv, "tls", "1.3"), *kind = option(argc, argv, "work", "echo");
  double warmup = atof(option(argc, argv, "warmup", "0.2")), seconds = atof(option(argc, argv, "seconds", "1"));
  int pid = atoi(option(argc, argv, "pid", "0")), begun = 0, measuring = 0;
  /* clock_getcpuclockid(3), for a process that is not ours as well */
  clockid_t server = pid ? (clockid_t)((~(unsigned)pid << 3) | 2) : CLOCK_PROCESS_CPUTIME_ID;
  struct epoll_event events[EVENTS];
  double start = now(CLOCK_MONOTONIC), ready = 0, wall = 0, cpu = 0, own = 0, moment;
  uint64_t first_operations = 0, first_bytes = 0, first_handshakes = 0, first_resumed = 0;

  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strcmp(names[i], kind))
      work = (enum work)i;
  port = atoi(option(argc, argv, "port", "0"));
  count = atoi(option(argc, argv, "connections", "50"));
  size = (size_t)atol(option(argc, argv, "size", "100"));
  resume = atoi(option(argc, argv, "resume", "0"));
  tls = !strcmp(version, "none") ? 0 : !strcmp(version, "1.2") ? TLS1_2_VERSION : TLS1_3_VERSION;
  peer_kind = !strcmp(option(argc, argv, "key", "EC"), "RSA") ? EVP_PKEY_RSA : EVP_PKEY_EC;
  if (!size || size > BLOCK || count < 1)
    fail("size or connections");
  fill_pattern();
  raise_descriptor_limit();
  signal(SIGPIPE, SIG_IGN);
  if (tls)
    context = make_context(argc, argv);
  poller = epoll_create1(0);
  connection *all = calloc((size_t)count, sizeof *all);

  while (1) {
    /* A few at a time: a listening socket's queue is short. */
    while (begun < count && begun - running < 32) {
      all[begun].number = begun;
      begin(&all[begun]);
      begun++;
      if (work == HANDSHAKE)
        running++;
    }
    int happened = epoll_wait(poller, events, EVENTS, 1000);
    for (int i = 0; i < happened; i++)
      step(events[i].data.ptr);
    moment = now(CLOCK_MONOTONIC);
    if (running < count || (work == HANDSHAKE && !ready && turns < (uint64_t)(resume ? 3 * count : 1))) {
      if (moment - start > DEADLINE)
        fail("%d of %d connections are not there after %.0f seconds", count - running, count, DEADLINE);
      continue;
    }
    if (work == IDLE) {
      char nothing;
      puts("idle");
      fflush(stdout);
      return read(0, &nothing, 1) != 0;
    }
    if (!ready)
      ready = moment;
    if (!measuring && moment - ready >= warmup) {
      measuring = 1;
      first_operations = operations;
      first_bytes = bytes;
      first_handshakes = handshakes;
      first_resumed = resumed;
      own = now(CLOCK_PROCESS_CPUTIME_ID);
      cpu = now(server);
      wall = now(CLOCK_MONOTONIC);
    } else if (measuring && moment - wall >= seconds) {
      cpu = now(server) - cpu;
      wall = now(CLOCK_MONOTONIC) - wall;
      own = now(CLOCK_PROCESS_CPUTIME_ID) - own;
      break;
    }
  }
  if (operations == first_operations)
    fail("nothing was done in %.1f seconds", seconds);
  if (resume && resumed - first_resumed != handshakes - first_handshakes)
    fail("%lu of %lu handshakes were not resumed", (unsigned long)(handshakes - first_handshakes - resumed + first_resumed),
         (unsigned long)(handshakes - first_handshakes));
  if (!resume && resumed)
    fail("a handshake was resumed that should have been full");
  printf("{\"all\": %lu, \"operations\": %lu, \"bytes\": %lu, \"wall\": %.6f, \"cpu\": %.6f, \"own\": %.6f, \"handshakes\": %lu, "
         "\"resets\": %lu, \"cipher\": \"%s\", \"group\": \"%s\"}\n",
         (unsigned long)operations, (unsigned long)(operations - first_operations), (unsigned long)(bytes - first_bytes), wall, cpu, own,
         (unsigned long)(handshakes - first_handshakes), (unsigned long)resets, tls ? cipher : "", tls ? GROUP : "");
  return 0;
}
