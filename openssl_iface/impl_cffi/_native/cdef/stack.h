/* Stacks of certificates and the like.  A stack owns itself, and what is on it
 * only if it is freed with pop_free. */
struct stack_st_X509;
struct stack_st_X509 *sk_X509_new_null(void);
int sk_X509_num(const struct stack_st_X509 *);
X509 *sk_X509_value(const struct stack_st_X509 *, int);
int sk_X509_push(struct stack_st_X509 *, X509 *);
void sk_X509_free(struct stack_st_X509 *);

/* pkcs.c: the stack, and a reference to each that is on it */
void oi_certificates_free(struct stack_st_X509 *);
