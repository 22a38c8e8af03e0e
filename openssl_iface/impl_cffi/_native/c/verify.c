/* Verification of the peer, in C: Python is asked only when it wants to be. */
#include "conn.h"

#include <stdlib.h>

/* A certificate whose subjectAltName cannot be meant: a name with a NUL or with
 * characters that no name has is there to be read differently by two readers. */
static int names_are_sound(X509 *certificate)
{
  GENERAL_NAMES *names;
  int critical = 0, sound = 1, i;

  names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
  if (!names)
    return 0; /* none at all, twice, or not to be decoded */
  for (i = 0; sound && i < sk_GENERAL_NAME_num(names); i++) {
    int type, size, j;
    const unsigned char *text;
    ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);

    if (type != GEN_DNS)
      continue;
    text = ASN1_STRING_get0_data(value);
    size = ASN1_STRING_length(value);
    for (j = 0; j < size; j++)
      if (text[j] <= ' ' || text[j] >= 0x7F)
        sound = 0;
  }
  GENERAL_NAMES_free(names);
  return sound;
}

void oi_refused(oi_conn *c, int error, int depth, X509 *certificate)
{
  c->verify_error = error;
  c->verify_depth = depth;
  X509_free(c->verify_cert);
  c->verify_cert = certificate;
  if (certificate)
    X509_up_ref(certificate);
}

/* Called by X509_verify_cert for each certificate and for each doubt. */
static int verify_one(int ok, X509_STORE_CTX *store)
{
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  oi_conn *c = ssl ? oi_conn_of(ssl) : NULL;
  int depth = X509_STORE_CTX_get_error_depth(store);
  X509 *certificate = X509_STORE_CTX_get_current_cert(store);

  if (!c)
    return ok;
  if (ok && depth == 0 && c->host && certificate && !names_are_sound(certificate)) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_EXTENSION);
    ok = 0;
  }
  if (c->theirs)
    ok = c->theirs(ok, store);
  if (c->hooked & 1 << OI_ON_VERIFY) {
    int verdict = OI_ASK(c, oi_py_verify(c->handle, ok, store));
    if (verdict == OI_RAISED)
      verdict = 0;
    if (ok && !verdict)
      X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    else if (!ok && verdict)
      X509_STORE_CTX_set_error(store, X509_V_OK);
    ok = verdict != 0;
  }
  if (!ok)
    oi_refused(c, X509_STORE_CTX_get_error(store), depth, certificate);
  return ok;
}

/* A callback that somebody else has set, on the context or on the SSL, is asked
 * before Python's; the next call of this puts an end to it. */
void oi_set_verify(oi_conn *c, int mode)
{
  SSL_verify_cb present = SSL_get_verify_callback(c->ssl);

  c->theirs = present == verify_one ? NULL : present;
  SSL_set_verify(c->ssl, mode, verify_one);
}

/* As the context has it; where that has no callback, one that was there goes on refusing. */
void oi_verify_as(oi_conn *c, SSL_CTX *context)
{
  SSL_verify_cb theirs = SSL_CTX_get_verify_callback(context);

  if (theirs)
    c->theirs = theirs;
  SSL_set_verify(c->ssl, SSL_CTX_get_verify_mode(context), verify_one);
}

/* Whatever callback there is, it goes on being asked. */
void oi_demand_certificate(oi_conn *c)
{
  SSL_verify_cb present = SSL_get_verify_callback(c->ssl);

  if (present != verify_one)
    c->theirs = present;
  SSL_set_verify(c->ssl, SSL_VERIFY_PEER, verify_one);
}

/* 0 on failure, with an error in the queue; nothing has changed then. */
int oi_set_host(oi_conn *c, const char *name, int is_address)
{
  X509_VERIFY_PARAM *param = SSL_get0_param(c->ssl);
  char *host;

  ERR_clear_error();
  host = strdup(name);
  if (!host)
    return 0;
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                             X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (is_address ? !X509_VERIFY_PARAM_set1_ip_asc(param, name)
                 : !X509_VERIFY_PARAM_set1_host(param, name, 0)) {
    free(host);
    return 0;
  }
  if (is_address)
    X509_VERIFY_PARAM_set1_host(param, NULL, 0);
  else
    X509_VERIFY_PARAM_set1_ip(param, NULL, 0);
  free(c->host);
  c->host = host;
  c->host_is_address = is_address;
  return 1;
}

/* A resumed session carries an earlier verdict, and nothing of it is looked at
 * again by libssl: neither whether that verdict was asked for, nor whether it
 * was about this name, nor whether there was a certificate at all. */
int oi_check_resumed(oi_conn *c)
{
  X509 *certificate;
  int error = X509_V_OK, mode = SSL_get_verify_mode(c->ssl);

  if (!(mode & SSL_VERIFY_PEER))
    return 1;
  certificate = oi_peer_certificate(c->ssl);
  if (SSL_get_verify_result(c->ssl) != X509_V_OK)
    error = (int)SSL_get_verify_result(c->ssl);
  else if (SSL_is_server(c->ssl))
    error = !certificate && mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT ? X509_V_ERR_UNSPECIFIED : X509_V_OK;
  else if (c->host && !certificate)
    error = X509_V_ERR_HOSTNAME_MISMATCH;
  else if (c->host && !names_are_sound(certificate))
    error = X509_V_ERR_INVALID_EXTENSION;
  else if (c->host &&
           (c->host_is_address
                ? X509_check_ip_asc(certificate, c->host, 0)
                : X509_check_host(certificate, c->host, 0,
                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                                  NULL)) != 1)
    error = c->host_is_address ? X509_V_ERR_IP_ADDRESS_MISMATCH : X509_V_ERR_HOSTNAME_MISMATCH;
  if (error != X509_V_OK)
    oi_refused(c, error, 0, certificate);
  X509_free(certificate);
  return error == X509_V_OK;
}

/* With an anonymous cipher libssl verifies nothing, since there is no certificate: none for the name, then. */
int oi_check_named(oi_conn *c)
{
  X509 *certificate;

  if (!c->host || SSL_is_server(c->ssl) || !(SSL_get_verify_mode(c->ssl) & SSL_VERIFY_PEER))
    return 1;
  certificate = oi_peer_certificate(c->ssl);
  if (!certificate)
    oi_refused(c, X509_V_ERR_HOSTNAME_MISMATCH, 0, NULL);
  X509_free(certificate);
  return certificate != NULL;
}
