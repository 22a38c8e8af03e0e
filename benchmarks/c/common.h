/* What the load generator and the C server share: options, the pattern that is
 * sent, plain and encrypted sockets behind one pair of functions. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes: what is read at once, and the period of the pattern. */
#define BLOCK 65536
/* A sink answers one byte for each so many bytes that it got. */
#define ACKNOWLEDGED (1 << 20)

/* Nothing now, try later; and the other end has closed, or worse. */
#define LATER 0
#define ENDED -1
#define BROKEN -2

static unsigned char pattern[2 * BLOCK];

static inline void fill_pattern(void)
{
  for (int i = 0; i < 2 * BLOCK; i++) {
    int at = i % BLOCK;
    pattern[i] = (unsigned char)(at * 167 + (at >> 8) * 13);
  }
}

static inline void fail(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  ERR_print_errors_fp(stderr);
  exit(1);
}

/* "--name value" from the command line, or the default. */
static inline const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
  for (int i = 1; i + 1 < argc; i += 2)
    if (!strncmp(argv[i], "--", 2) && !strcmp(argv[i] + 2, name))
      return argv[i + 1];
  return otherwise;
}

static inline void raise_descriptor_limit(void)
{
  struct rlimit limit;
  if (!getrlimit(RLIMIT_NOFILE, &limit)) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

static inline void set_nodelay(int fd)
{
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* How a call into libssl ended that gave nothing. */
static inline int tls_result(SSL *ssl, int result)
{
  switch (SSL_get_error(ssl, result)) {
  case SSL_ERROR_WANT_READ:
  case SSL_ERROR_WANT_WRITE:
    return LATER;
  case SSL_ERROR_ZERO_RETURN:
    return ENDED;
  case SSL_ERROR_SYSCALL:
    return errno ? BROKEN : ENDED;
  default:
    return BROKEN;
  }
}

/* Both give a number of bytes, LATER, ENDED or BROKEN. */
static inline long take(int fd, SSL *ssl, void *into, size_t size)
{
  if (ssl) {
    ERR_clear_error();
    errno = 0;
    int got = SSL_read(ssl, into, (int)size);
    return got > 0 ? got : tls_result(ssl, got);
  }
  ssize_t got = recv(fd, into, size, 0);
  return got > 0 ? got : !got ? ENDED : errno == EAGAIN ? LATER : BROKEN;
}

static inline long put(int fd, SSL *ssl, const void *data, size_t size)
{
  if (ssl) {
    ERR_clear_error();
    errno = 0;
    int done = SSL_write(ssl, data, (int)size);
    return done > 0 ? done : tls_result(ssl, done);
  }
  ssize_t done = send(fd, data, size, MSG_NOSIGNAL);
  return done > 0 ? done : errno == EAGAIN ? LATER : BROKEN;
}

static inline void set_modes(SSL_CTX *context)
{
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  /* One recv for many records. */
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, BLOCK);
}

#endif
