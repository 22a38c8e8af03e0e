/* The engine of one connection; pump.c tells how it works. */
#ifndef OI_CONN_H
#define OI_CONN_H

#include "oi.h"

#include <pthread.h>
#include <sys/types.h>

/* Sizes in bytes.  64 KiB: what one event reads and gives; larger blocks are
 * mapped and faulted in by the allocator each time.  The room for ciphertext is
 * larger by what a whole event can answer. */
#define OI_EVENT_SIZE 65536
#define OI_OUT_ROOM (OI_EVENT_SIZE + 24576)
/* Above this much ciphertext that the transport does not take, nothing more is
 * read: all of it then is replies that the peer provokes. */
#define OI_OUT_LIMIT (4 * OI_EVENT_SIZE)
/* The most plaintext that is kept while a send waits for a renegotiation. */
#define OI_KEPT_LIMIT (64 << 20)

/* What the connection waits for: values.Want. */
#define OI_WANT_READ 1
#define OI_WANT_WRITE 2
#define OI_WANT_PROCEED 4
#define OI_WANT_CERTIFICATE 8
#define OI_WANT_CLIENT_HELLO 16
#define OI_WANT_VERIFICATION 32
/* Something rare has happened: the caller looks at oi_conn and oi_work. */
#define OI_NEWS 64
/* ... and it is no more than this: the handshake is complete, or the peer has said goodbye. */
#define OI_COMPLETE 256
#define OI_GOODBYE 512
/* Nothing was done: a callback of this very operation has come back in. */
#define OI_BUSY 128
/* What the functions of fast.c say beside. */
#define OI_LOOK (-1)
#define OI_WANT INT64_MIN

/* How the peer's side has ended. */
#define OI_OPEN 0
#define OI_CLEAN 1
#define OI_TRUNCATED 2
#define OI_ABORTED 3

/* What oi_operate does. */
#define OI_HANDSHAKE 0
#define OI_READ 1
#define OI_PEEK 2
#define OI_WRITE 3
#define OI_SHUTDOWN 4
#define OI_RENEGOTIATE 5
#define OI_KEY_UPDATE 6
#define OI_ASK_CERTIFICATE 7 /* post-handshake authentication */
#define OI_NOTHING -1

/* What an event needs for its duration, lent by the caller and shared by all
 * connections of a thread in turn; it is never kept. */
typedef struct {
  char *plain; /* OI_EVENT_SIZE */
  unsigned char *received;
  unsigned char *out; /* OI_OUT_ROOM */
  int ssl_error;      /* of the last operation that did not succeed */
  int sys_errno;
  oi_errors errors;
  int handed; /* the depth at which Python has taken the connection's lock over, or 0 */
} oi_work;

typedef struct {
  SSL *ssl;
  void *handle; /* the Python object that callbacks are handed to */
  int fd;       /* -1: the caller carries the ciphertext */
  int not_socket;
  int datagrams;     /* DTLS: what libssl writes at once leaves at once */
  int direct;        /* the manual's face: libssl reads from the descriptor */
  int busy;          /* an operation is under way */
  int watched;       /* a thread waits for the descriptor: what comes is for it to read */
  uint64_t arrived;  /* how often anything has been read from the descriptor */
  int detached;
  int handshake_done;
  int ended;         /* OI_OPEN ... */
  int dead;          /* nothing more can be done */
  int failed;        /* the present operation failed, the connection did not */
  int close_sent;    /* SSL_shutdown has written close_notify */
  int put_off;       /* what is to be sent waits for our goodbye, to leave with it */
  int dropped;       /* something was to be sent, and the transport had failed */
  int eof;           /* the transport has ended */
  int sys_errno;     /* why the transport failed, 0 if it did not */
  int callback_failed;
  int suspended;     /* OI_WANT_CERTIFICATE ... while an answer is missing */
  char *host;        /* the name that the peer's certificate must be for */
  int host_is_address;
  int hooked;        /* 1 << OI_ON_...: the callbacks that go to Python */
  int refused_late;  /* by us, when libssl had completed the handshake */
  SSL_verify_cb theirs; /* a callback that was set past us; verify.c */
  /* the certificate that was refused */
  int verify_error;
  int verify_depth;
  X509 *verify_cert;
  /* ciphertext that has come and that libssl has not taken yet: first what was
   * kept, then the block of the present event */
  unsigned char *in;
  size_t in_pos, in_len, in_room;
  const unsigned char *block;
  size_t block_len;
  /* ciphertext that has not left yet; in the event's workspace while lent */
  unsigned char *out;
  size_t out_pos, out_len, out_room;
  int out_lent;
  /* the manual's face: plaintext that came while a send waited */
  unsigned char *kept;
  size_t kept_pos, kept_len, kept_room;
  /* ... and what libssl has done already, but was not said since the
   * transport had not taken all of it */
  int unsaid;
  size_t unsaid_done;
  char *unsaid_data;
  /* fast.c */
  pthread_mutex_t mutex;
  void *owner; /* the thread that has it */
  int depth;
  unsigned born;  /* in which process it was made */
  unsigned forks; /* in which process the lock was */
  int idle;       /* recv has found nothing, and did not ask libssl */
  int calm;       /* Python keeps nothing that comes first */
  int wants;      /* OI_WANT_READ ...: what the owner of the connection is told */
  /* warm.c */
  int warm;       /* its place among those that keep libssl's buffers, from 1 */
  int used;       /* since the hand came by */
} oi_conn;

/* ---- wire.c: buffers, descriptor, BIO -------------------------------------- */
int oi_setup(void);
BIO *oi_bio_new(oi_conn *c);
int oi_put(oi_conn *c, const char *data, size_t size);
size_t oi_take(oi_conn *c, char *data, size_t size);
size_t oi_buffered_in(oi_conn *c);
int oi_record_waits(oi_conn *c);
size_t oi_buffered_out(oi_conn *c);
int oi_keep(oi_conn *c, const char *data, size_t size);
size_t oi_kept(oi_conn *c, char *data, size_t size, int peek);
size_t oi_buffered_plain(oi_conn *c);
void oi_drop_buffers(oi_conn *c);
void oi_out_lend(oi_conn *c, oi_work *work);
int oi_out_keep(oi_conn *c);
void oi_out_release(oi_conn *c);
ssize_t oi_receive(oi_conn *c, void *data, size_t size);
int oi_again(int number);
int oi_flush(oi_conn *c);
void oi_transport_failed(oi_conn *c, int number);

/* ---- warm.c: libssl's buffers --------------------------------------------------- */
void oi_warm(oi_conn *c);
void oi_warm_forget(oi_conn *c);
void oi_warm_forked(void);

/* ---- conn.c: life, one operation --------------------------------------------- */
oi_work *oi_work_new(void);
void oi_work_free(oi_work *work);
void oi_work_clear(oi_work *work);
oi_conn *oi_conn_new(SSL_CTX *context, int fd);
oi_conn *oi_conn_open(SSL_CTX *context, int fd, int side, X509_STORE *store);
void oi_conn_free(oi_conn *c);
void oi_detach(oi_conn *c);
int oi_perform(oi_conn *c, oi_work *work, int what, char *data, size_t size, size_t *done);
void oi_settle(oi_conn *c, oi_work *work, int ssl_error);
int oi_renegotiating(oi_conn *c);
int oi_stranded(oi_conn *c);

/* ---- pump.c: the event-loop face ---------------------------------------- */
int64_t oi_event_read(oi_conn *c, oi_work *work);
int64_t oi_event_feed(oi_conn *c, oi_work *work, const char *data, size_t size);
int64_t oi_event_proceed(oi_conn *c, oi_work *work);
int64_t oi_event_write(oi_conn *c, oi_work *work, const char *data, size_t size);
int64_t oi_event_flush(oi_conn *c, oi_work *work);
int64_t oi_event_output(oi_conn *c, oi_work *work, size_t size);
int64_t oi_event_close(oi_conn *c, oi_work *work);

/* ---- fast.c: the lock, and events with it ------------------------------- */
int oi_locks_setup(void);
int oi_lock_init(oi_conn *c);
void oi_lock_free(oi_conn *c);
int oi_inherited(const oi_conn *c);
void oi_lock(oi_conn *c);
void oi_unlock(oi_conn *c);
void oi_begin(oi_conn *c, oi_work *work);
void oi_done(oi_conn *c, oi_work *work, int calm);
int64_t oi_fast_read(oi_conn *c, oi_work *work);
int64_t oi_fast_feed(oi_conn *c, oi_work *work, const char *data, size_t size);
int64_t oi_fast_write(oi_conn *c, oi_work *work, const char *data, size_t size);
int64_t oi_fast_output(oi_conn *c, oi_work *work, size_t size);
int64_t oi_fast_encrypt(oi_conn *c, oi_work *work, const char *data, size_t size);
size_t oi_fast_queued(oi_conn *c);
int oi_fast_close_sent(oi_conn *c);
int64_t oi_fast_close(oi_conn *c, oi_work *work);
void oi_fast_detach(oi_conn *c, oi_work *work);
int oi_fast_attach(oi_conn *c, int fd);
int oi_fast_side(oi_conn *c, int server);
int64_t oi_fast_recv(oi_conn *c, oi_work *work, size_t size);
int64_t oi_fast_send(oi_conn *c, oi_work *work, const char *data, size_t size);
int oi_fast_put(oi_conn *c, const char *data, size_t size);
size_t oi_fast_take(oi_conn *c, oi_work *work, size_t size);

/* ---- direct.c: the manual's face ------------------------------------------ */
int64_t oi_operate(oi_conn *c, oi_work *work, int what, char *data, size_t size);

/* ---- verify.c ------------------------------------------------------------- */
void oi_set_verify(oi_conn *c, int mode);
void oi_verify_as(oi_conn *c, SSL_CTX *context);
void oi_demand_certificate(oi_conn *c);
int oi_set_host(oi_conn *c, const char *name, int is_address);
int oi_check_resumed(oi_conn *c);
int oi_check_named(oi_conn *c);
void oi_refused(oi_conn *c, int error, int depth, X509 *certificate);

/* ---- callbacks.c ---------------------------------------------------------- */
#define OI_ON_INFO 0
#define OI_ON_ALPN 1
#define OI_ON_SERVERNAME 2
#define OI_ON_KEYLOG 3
#define OI_ON_CERTIFICATE 4
#define OI_ON_CLIENT_HELLO 5
#define OI_ON_SESSION 6
#define OI_ON_CHAIN 7
#define OI_ON_STATUS_SERVER 8
#define OI_ON_VERIFY 9
#define OI_ON_STATUS_CLIENT 10
#define OI_ON_COOKIE_MAKE 11
#define OI_ON_COOKIE_CHECK 12
oi_conn *oi_conn_of(const SSL *ssl);
oi_conn *oi_hooked(const SSL *ssl, int which);
int oi_answer(oi_conn *c, int value);
#define OI_ASK(c, call) (ERR_set_mark(), oi_answer(c, call))
void oi_hook(oi_conn *c, int hooked);
void oi_follow(oi_conn *c, SSL_CTX *context, X509_STORE *store);
void oi_context_on(SSL_CTX *context, int which);
extern int oi_conn_index;

/* What Python answers: its own number, or this if it raised. */
#define OI_RAISED -9

/* ---- lists.c: what needs a STACK_OF -------------------------------------- */
int oi_set_client_ca(SSL_CTX *context, X509_NAME **names, int count);
int oi_chain(const SSL *ssl, int which, X509 **into, int room);
int oi_client_ca(const SSL *ssl, X509_NAME **into, int room);
long long oi_session_time(const SSL_SESSION *session);
int oi_client_hello_servername(SSL *ssl, const char **name, size_t *size);
X509_STORE *oi_store_copy(X509_STORE *store);
int oi_store_size(X509_STORE *store);
int oi_load_dh(SSL_CTX *context, const char *pem, int size);
int oi_set_status(SSL *ssl, const char *data, size_t size);
long oi_get_status(SSL *ssl, const unsigned char **data);
const char *oi_context_cipher(SSL_CTX *context, int index);
X509 *oi_peer_certificate(const SSL *ssl);
const char *oi_group_name(SSL *ssl);
int oi_group(SSL *ssl, char *name, size_t room);

/* Defined by the generated file; each gets the handle of its connection. */
int oi_py_verify(void *handle, int ok, X509_STORE_CTX *store_context);
int oi_py_chain(void *handle, int ok, X509_STORE_CTX *store_context);
int oi_py_info(void *handle, int where, int ret);
int oi_py_alpn(void *handle, const char *offered, size_t size);
int oi_py_servername(void *handle);
int oi_py_keylog(void *handle, const char *line);
int oi_py_certificate(void *handle);
int oi_py_client_hello(void *handle);
int oi_py_session(void *handle, SSL_SESSION *session);
int oi_py_status(void *handle);
int oi_py_cookie_make(void *handle, unsigned char *cookie, unsigned int room);
int oi_py_cookie_check(void *handle, const unsigned char *cookie, unsigned int size);

/* ---- datagram.c ------------------------------------------------------------ */
int oi_dtls_timeout(SSL *ssl, long *seconds, long *microseconds);
int oi_dtls_handle_timeout(oi_conn *c, oi_work *work);
int oi_dtls_listen(oi_conn *c, oi_work *work);
void oi_cookie_on(SSL_CTX *context, int check);
long oi_set_mtu(SSL *ssl, long size);
const char *oi_srtp_profile(SSL *ssl);

#endif
