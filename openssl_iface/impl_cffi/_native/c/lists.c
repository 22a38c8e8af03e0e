/* Small steps that need a STACK_OF or a struct of libssl, in whatever form the
 * OpenSSL at hand has them. */
#include "conn.h"

/* Takes copies; 0 on failure, and nothing has changed then. */
int oi_set_client_ca(SSL_CTX *context, X509_NAME **names, int count)
{
  STACK_OF(X509_NAME) *list = sk_X509_NAME_new_null();
  int i;

  for (i = 0; list && i < count; i++) {
    X509_NAME *copy = X509_NAME_dup(names[i]);
    if (!copy || !sk_X509_NAME_push(list, copy)) {
      X509_NAME_free(copy);
      sk_X509_NAME_pop_free(list, X509_NAME_free);
      return 0;
    }
  }
  if (!list)
    return 0;
  SSL_CTX_set_client_CA_list(context, list);
  return 1;
}

/* What the peer sent (which 0; on a server without the peer's own certificate)
 * or what was verified (1).  Gives references; returns how many there are, which
 * can be more than there is room for, or -1 if there is no chain. */
int oi_chain(const SSL *ssl, int which, X509 **into, int room)
{
  STACK_OF(X509) *chain = which ? SSL_get0_verified_chain(ssl) : SSL_get_peer_cert_chain(ssl);
  int i, count;

  if (!chain)
    return -1;
  count = sk_X509_num(chain);
  for (i = 0; i < count && count <= room; i++) {
    into[i] = sk_X509_value(chain, i);
    X509_up_ref(into[i]);
  }
  return count;
}

/* The names of the authorities that are asked for (a server's own list, or what
 * the server sent); gives copies. */
int oi_client_ca(const SSL *ssl, X509_NAME **into, int room)
{
  const STACK_OF(X509_NAME) *list = SSL_get_client_CA_list(ssl);
  int i, count = list ? sk_X509_NAME_num(list) : 0;

  for (i = 0; i < count && count <= room; i++) {
    into[i] = X509_NAME_dup(sk_X509_NAME_value(list, i));
    if (!into[i])
      return i;
  }
  return count;
}

long long oi_session_time(const SSL_SESSION *session)
{
#if OPENSSL_VERSION_NUMBER >= 0x30300000L
  return (long long)SSL_SESSION_get_time_ex(session);
#else
  return SSL_SESSION_get_time(session);
#endif
}

/* The name in the client hello (RFC 6066, section 3), before libssl has read
 * it; 0 if there is none or it is malformed. */
int oi_client_hello_servername(SSL *ssl, const char **name, size_t *size)
{
  const unsigned char *p;
  size_t left, length;

  if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &left))
    return 0;
  if (left < 5 || ((size_t)p[0] << 8 | p[1]) != left - 2 || p[2] != TLSEXT_NAMETYPE_host_name)
    return 0;
  length = (size_t)p[3] << 8 | p[4];
  if (length > left - 5)
    return 0;
  *name = (const char *)p + 5;
  *size = length;
  return 1;
}

/* A store with the same certificates, lists and parameters; what is looked up in
 * directories is not in it.  NULL on failure. */
X509_STORE *oi_store_copy(X509_STORE *store)
{
  X509_STORE *copy = X509_STORE_new();
  const STACK_OF(X509_OBJECT) *objects;
  int i, ok = copy != NULL;

  if (!ok)
    return NULL;
  X509_STORE_lock(store);
  objects = X509_STORE_get0_objects(store);
  for (i = 0; ok && i < sk_X509_OBJECT_num(objects); i++) {
    X509_OBJECT *object = sk_X509_OBJECT_value(objects, i);
    if (X509_OBJECT_get_type(object) == X509_LU_X509)
      ok = X509_STORE_add_cert(copy, X509_OBJECT_get0_X509(object));
    else if (X509_OBJECT_get_type(object) == X509_LU_CRL)
      ok = X509_STORE_add_crl(copy, X509_OBJECT_get0_X509_CRL(object));
  }
  ok = ok && X509_STORE_set1_param(copy, X509_STORE_get0_param(store));
  X509_STORE_unlock(store);
  if (ok)
    return copy;
  X509_STORE_free(copy);
  return NULL;
}

/* How many certificates and lists there are in a store. */
int oi_store_size(X509_STORE *store)
{
  int size;

  X509_STORE_lock(store);
  size = sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
  X509_STORE_unlock(store);
  return size;
}

/* Diffie-Hellman parameters for TLS 1.2, without OpenSSL's own type for them
 * where that is deprecated; 0 on failure. */
int oi_load_dh(SSL_CTX *context, const char *pem, int size)
{
  BIO *bio = BIO_new_mem_buf(pem, size);
  EVP_PKEY *key = bio ? PEM_read_bio_Parameters(bio, NULL) : NULL;
  int ok = 0;

  BIO_free(bio);
  if (!key)
    return 0;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
  ok = EVP_PKEY_is_a(key, "DH") || EVP_PKEY_is_a(key, "DHX");
  if (ok && SSL_CTX_set0_tmp_dh_pkey(context, key))
    return 1;
  ok = 0;
#else
  if (EVP_PKEY_get0_DH(key))
    ok = SSL_CTX_set_tmp_dh(context, EVP_PKEY_get0_DH(key)) == 1;
#endif
  EVP_PKEY_free(key);
  return ok;
}

/* The stapled answer of a server (RFC 6066, section 8). */
int oi_set_status(SSL *ssl, const char *data, size_t size)
{
  unsigned char *copy = OPENSSL_memdup(data, size);

  if (!copy)
    return 0;
  if (SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)size))
    return 1;
  OPENSSL_free(copy);
  return 0;
}

/* Its size, -1 if the server sent none. */
long oi_get_status(SSL *ssl, const unsigned char **data)
{
  return SSL_get_tlsext_status_ocsp_resp(ssl, data);
}

/* A reference to the peer's own certificate, or NULL. */
X509 *oi_peer_certificate(const SSL *ssl)
{
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
  return SSL_get1_peer_certificate(ssl);
#else
  return SSL_get_peer_certificate(ssl);
#endif
}

/* The key exchange group in OpenSSL's words, which change with its version; NULL if
 * there was none. */
const char *oi_group_name(SSL *ssl)
{
  const char *found = NULL;

  if (!SSL_get_session(ssl))
    return NULL; /* some releases of OpenSSL look into it all the same */
#if OPENSSL_VERSION_NUMBER >= 0x30200000L
  found = SSL_get0_group_name(ssl);
#elif OPENSSL_VERSION_NUMBER >= 0x30000000L
  int id = (int)SSL_get_negotiated_group(ssl);
  if (id > 0)
    found = SSL_group_to_name(ssl, id);
  if (id > 0 && !found)
    found = OBJ_nid2sn(id);
#else
  EVP_PKEY *key = NULL;
  int id = 0;
  if (SSL_get_peer_tmp_key(ssl, &key) && key) {
    id = EVP_PKEY_id(key);
    if (id == EVP_PKEY_EC)
      id = EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key)));
    EVP_PKEY_free(key);
  } else if (SSL_is_server(ssl) && SSL_get_current_cipher(ssl) &&
             SSL_CIPHER_get_kx_nid(SSL_get_current_cipher(ssl)) == NID_kx_ecdhe) {
    id = (int)SSL_get_shared_group(ssl, 0);
  }
  if (id > 0)
    found = OBJ_nid2sn(id);
#endif
  return found;
}

/* A copy of it; 0 if there is none. */
int oi_group(SSL *ssl, char *name, size_t room)
{
  const char *found = oi_group_name(ssl);

  if (!found || strlen(found) >= room)
    return 0;
  memcpy(name, found, strlen(found) + 1);
  return 1;
}

/* The name of a cipher of the context, NULL behind the last. */
const char *oi_context_cipher(SSL_CTX *context, int index)
{
  const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);

  if (!ciphers || index >= sk_SSL_CIPHER_num(ciphers))
    return NULL;
  return SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, index));
}
