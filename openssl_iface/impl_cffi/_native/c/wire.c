/* What is between libssl and the transport: the buffers, the descriptor, the BIO. */
#include "conn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- buffers -------------------------------------------------------------- */

/* Make room for `more` bytes behind what `*buffer` holds; 0 if memory is short. */
static int reserve(unsigned char **buffer, size_t *pos, size_t *len, size_t *room, size_t more)
{
  unsigned char *grown;
  size_t size;

  if (*pos && *len + more > *room) {
    memmove(*buffer, *buffer + *pos, *len - *pos);
    *len -= *pos;
    *pos = 0;
  }
  if (*len + more <= *room)
    return 1;
  size = *room ? *room : 4096;
  while (size < *len + more)
    size *= 2;
  grown = realloc(*buffer, size);
  if (!grown)
    return 0;
  *buffer = grown;
  *room = size;
  return 1;
}

static void release(unsigned char **buffer, size_t *pos, size_t *len, size_t *room)
{
  free(*buffer);
  *buffer = NULL;
  *pos = *len = *room = 0;
}

void oi_out_release(oi_conn *c)
{
  if (c->out_lent) {
    c->out = NULL;
    c->out_pos = c->out_len = c->out_room = 0;
    c->out_lent = 0;
  } else {
    release(&c->out, &c->out_pos, &c->out_len, &c->out_room);
  }
}

/* Move what is in the workspace to memory of our own. */
static int out_keep(oi_conn *c, size_t more)
{
  unsigned char *kept;
  size_t size = c->out_len - c->out_pos;

  if (!c->out_lent)
    return 1;
  if (!size && !more) {
    oi_out_release(c);
    return 1;
  }
  kept = malloc(size + more);
  if (!kept)
    return 0;
  memcpy(kept, c->out + c->out_pos, size);
  c->out = kept;
  c->out_pos = 0;
  c->out_len = size;
  c->out_room = size + more;
  c->out_lent = 0;
  return 1;
}

/* The same at the end of an event; 0 if memory is short. */
int oi_out_keep(oi_conn *c)
{
  return out_keep(c, 0);
}

static int out_append(oi_conn *c, const void *data, size_t size)
{
  if (c->out_lent && c->out_len + size > c->out_room && !out_keep(c, size + 4096))
    return 0;
  if (!c->out_lent && !reserve(&c->out, &c->out_pos, &c->out_len, &c->out_room, size))
    return 0;
  memcpy(c->out + c->out_len, data, size);
  c->out_len += size;
  return 1;
}

void oi_out_lend(oi_conn *c, oi_work *work)
{
  if (!c->out) {
    c->out = work->out;
    c->out_room = OI_OUT_ROOM;
    c->out_lent = 1;
  }
}

int oi_put(oi_conn *c, const char *data, size_t size)
{
  if (!reserve(&c->in, &c->in_pos, &c->in_len, &c->in_room, size))
    return 0;
  memcpy(c->in + c->in_len, data, size);
  c->in_len += size;
  return 1;
}

size_t oi_take(oi_conn *c, char *data, size_t size)
{
  size_t left = c->out_len - c->out_pos;

  if (size > left)
    size = left;
  if (size)
    memcpy(data, c->out + c->out_pos, size);
  c->out_pos += size;
  if (c->out_pos == c->out_len)
    oi_out_release(c);
  return size;
}

/* Plaintext that nobody has asked for yet. */
int oi_keep(oi_conn *c, const char *data, size_t size)
{
  if (!reserve(&c->kept, &c->kept_pos, &c->kept_len, &c->kept_room, size))
    return 0;
  memcpy(c->kept + c->kept_len, data, size);
  c->kept_len += size;
  return 1;
}

size_t oi_kept(oi_conn *c, char *data, size_t size, int peek)
{
  size_t left = oi_buffered_plain(c);

  if (size > left)
    size = left;
  if (size)
    memcpy(data, c->kept + c->kept_pos, size);
  if (!peek) {
    c->kept_pos += size;
    if (c->kept_pos == c->kept_len)
      release(&c->kept, &c->kept_pos, &c->kept_len, &c->kept_room);
  }
  return size;
}

size_t oi_buffered_plain(oi_conn *c)
{
  return c->kept_len - c->kept_pos;
}

void oi_drop_buffers(oi_conn *c)
{
  release(&c->in, &c->in_pos, &c->in_len, &c->in_room);
  release(&c->kept, &c->kept_pos, &c->kept_len, &c->kept_room);
  oi_out_release(c);
}

size_t oi_buffered_in(oi_conn *c)
{
  return c->in_len - c->in_pos;
}

/* Has a whole record come that libssl has not begun to read?  (RFC 8446, section 5.1)  One that is
 * too long for a record counts: libssl refuses it by its beginning. */
int oi_record_waits(oi_conn *c)
{
  size_t kept = oi_buffered_in(c), size = kept + c->block_len;
  unsigned char header[SSL3_RT_HEADER_LENGTH];
  int i, length;

  if (c->datagrams)
    return 1;
  if (size < sizeof header)
    return 0;
  for (i = 0; i < (int)sizeof header; i++)
    header[i] = (size_t)i < kept ? c->in[c->in_pos + i] : c->block[i - kept];
  length = header[3] << 8 | header[4];
  return length > SSL3_RT_MAX_ENCRYPTED_LENGTH || size - sizeof header >= (size_t)length;
}

size_t oi_buffered_out(oi_conn *c)
{
  return c->out_len - c->out_pos;
}

/* ---- the descriptor ------------------------------------------------------- */

static int ready(int fd, short events)
{
  struct pollfd one = {fd, events, 0};
  return poll(&one, 1, 0) > 0;
}

/* A descriptor that is no socket cannot be told in a call not to wait, so it is
 * asked first.  A pipe then takes PIPE_BUF bytes at once; a terminal may take
 * fewer than it is given and wait, unless it is told not to for the moment. */
static ssize_t write_some(int fd, const void *data, size_t size)
{
  struct stat what;
  int flags, error;
  ssize_t sent;

  if (fstat(fd, &what) == 0 && S_ISFIFO(what.st_mode))
    return write(fd, data, size < PIPE_BUF ? size : PIPE_BUF);
  flags = fcntl(fd, F_GETFL);
  if (flags < 0)
    return -1;
  if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
    return -1;
  sent = write(fd, data, size);
  error = errno;
  if (!(flags & O_NONBLOCK))
    fcntl(fd, F_SETFL, flags);
  errno = error;
  return sent;
}

ssize_t oi_receive(oi_conn *c, void *data, size_t size)
{
  ssize_t got;

  do {
    if (!c->not_socket) {
      got = recv(c->fd, data, size, MSG_DONTWAIT);
      if (got < 0 && errno == ENOTSOCK) {
        c->not_socket = 1;
        continue;
      }
    } else if (ready(c->fd, POLLIN)) {
      got = read(c->fd, data, size);
    } else {
      errno = EAGAIN;
      got = -1;
    }
    if (got >= 0 || errno != EINTR)
      return got;
  } while (1);
}

static ssize_t transmit(oi_conn *c, const void *data, size_t size)
{
  ssize_t sent;

  do {
    if (!c->not_socket) {
      sent = send(c->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && errno == ENOTSOCK) {
        c->not_socket = 1;
        continue;
      }
    } else if (ready(c->fd, POLLOUT)) {
      sent = write_some(c->fd, data, size);
    } else {
      errno = EAGAIN;
      sent = -1;
    }
    if (sent >= 0 || errno != EINTR)
      return sent;
  } while (1);
}

int oi_again(int number)
{
  return number == EAGAIN || number == EWOULDBLOCK || number == ENOBUFS;
}

void oi_transport_failed(oi_conn *c, int number)
{
  c->sys_errno = number;
  if (c->ended == OI_OPEN)
    c->ended = OI_ABORTED;
}

/* Send what there is; 1 if all of it has left. */
int oi_flush(oi_conn *c)
{
  while (c->fd >= 0 && c->out_pos < c->out_len) {
    ssize_t sent = transmit(c, c->out + c->out_pos, c->out_len - c->out_pos);
    if (sent < 0) {
      if (oi_again(errno))
        return 0;
      /* What the peer has sent may still be there, an alert above all: the
       * failure is reported when that has been read. */
      if (!c->sys_errno)
        oi_transport_failed(c, errno);
      c->out_pos = c->out_len;
      c->dropped = 1;
      break;
    }
    c->out_pos += (size_t)sent;
  }
  if (c->out_pos < c->out_len)
    return 0;
  oi_out_release(c);
  return 1;
}

/* ---- the BIO -------------------------------------------------------------- */

static BIO_METHOD *method;

static int bio_read(BIO *bio, char *data, int size)
{
  oi_conn *c = BIO_get_data(bio);
  size_t n = 0, left;

  BIO_clear_retry_flags(bio);
  if (!c || size <= 0)
    return 0;
  left = c->in_len - c->in_pos;
  if (left) {
    n = left < (size_t)size ? left : (size_t)size;
    memcpy(data, c->in + c->in_pos, n);
    c->in_pos += n;
    if (c->in_pos == c->in_len)
      release(&c->in, &c->in_pos, &c->in_len, &c->in_room);
  } else if (c->block_len) {
    n = c->block_len < (size_t)size ? c->block_len : (size_t)size;
    memcpy(data, c->block, n);
    c->block += n;
    c->block_len -= n;
  } else if (c->direct && c->fd >= 0 && !c->eof && !c->watched) {
    ssize_t got = oi_receive(c, data, (size_t)size);
    c->arrived += got >= 0 || !oi_again(errno);
    if (got > 0)
      n = (size_t)got;
    else if (got == 0)
      c->eof = !c->datagrams;
    else if (!oi_again(errno)) {
      oi_transport_failed(c, errno);
      c->eof = 1;
    }
  }
  if (n)
    return (int)n;
  BIO_set_retry_read(bio);
  return -1;
}

static int bio_write(BIO *bio, const char *data, int size)
{
  oi_conn *c = BIO_get_data(bio);

  BIO_clear_retry_flags(bio);
  if (!c || size <= 0)
    return 0;
  if (c->sys_errno || c->detached) {
    c->dropped = 1;
    return size; /* it can go nowhere; what has come is still worth reading */
  }
  if (c->close_sent && SSL_get_shutdown(c->ssl) & SSL_SENT_SHUTDOWN)
    return size; /* close_notify was the last message (RFC 8446, section 6.1); libssl would answer key updates */
  if (c->datagrams && c->fd >= 0) {
    ssize_t sent = transmit(c, data, (size_t)size);
    if (sent >= 0)
      return (int)sent;
    if (oi_again(errno))
      BIO_set_retry_write(bio);
    else
      oi_transport_failed(c, errno);
    return -1;
  }
  return out_append(c, data, (size_t)size) ? size : -1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
  oi_conn *c = BIO_get_data(bio);

  (void)pointer;
  switch (command) {
  case BIO_CTRL_FLUSH:
  case BIO_CTRL_DUP:
    return 1;
  case BIO_CTRL_PENDING:
    return c ? (long)(oi_buffered_in(c) + c->block_len) : 0;
  case BIO_CTRL_WPENDING:
    return c ? (long)oi_buffered_out(c) : 0;
  case BIO_CTRL_GET_CLOSE:
    return BIO_get_shutdown(bio);
  case BIO_CTRL_SET_CLOSE:
    BIO_set_shutdown(bio, (int)number);
    return 1;
  default:
    return 0;
  }
}

static int bio_create(BIO *bio)
{
  BIO_set_init(bio, 1);
  return 1;
}

BIO *oi_bio_new(oi_conn *c)
{
  BIO *bio = BIO_new(method);

  if (bio)
    BIO_set_data(bio, c);
  return bio;
}

/* Once in a process; 0 if memory is short. */
int oi_setup(void)
{
  int type;

  if (method)
    return 1;
  type = BIO_get_new_index();
  if (type == -1)
    return 0;
  method = BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "openssl_iface");
  oi_conn_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
  return method && oi_locks_setup() && oi_conn_index >= 0 && BIO_meth_set_read(method, bio_read) &&
         BIO_meth_set_write(method, bio_write) && BIO_meth_set_ctrl(method, bio_ctrl) &&
         BIO_meth_set_create(method, bio_create);
}
