/* What subscribers get ("Parsing Amazon SNS message formats"): the JSON around a message, with a signature over its
 * fields
 * ("Verifying the signatures of Amazon SNS messages") by a key of this installation, whose certificate is at the
 * address that the message names. */
#include "base/json.h"
#include "base/rand.h"
#include "services/sns/room.h"
#include "vault/vault.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define CONTEXT STR("sns signer")

struct str sns_body_for(struct arena *a, const struct sns_rec_message *m, struct str protocol)
{
	struct json_value *v;
	if (!m->structured.v || !is_ok(json_read(a, m->body, &v))) return m->body;
	struct str own = json_string(json_member(v, protocol));
	return str_has(own) ? own : str_or(json_string(json_member(v, STR("default"))), STR(""));
}

/* ── the signer ── */

static struct str signer_key(struct arena *a)
{
	struct key k = key_begin(a);
	key_str(&k, STR("sns"));
	key_str(&k, STR("signer"));
	return key_done(&k);
}

static struct str bio_text(struct arena *a, BIO *b)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);
	return str_dup(a, str_n(p, (size_t)n));
}

static void make(struct sns *s, struct store_tx *tx, struct arena *a, struct sns_rec_signer *r, struct str *der)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	X509 *x = X509_new();
	BIO *pem = BIO_new(BIO_s_mem());
	unsigned char *p = NULL;
	time_t from = (time_t)(clock_now(s->cloud->clock) / 1000) - 86400;
	INVARIANT(key && x && pem);
	X509_set_version(x, 2);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), rand_u64() >> 1);
	X509_time_adj_ex(X509_getm_notBefore(x), 0, 0, &from);
	X509_time_adj_ex(X509_getm_notAfter(x), 3650, 0, &from);
	X509_NAME_add_entry_by_txt(
		X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"sns.amazonaws.com", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	INVARIANT(X509_sign(x, key, EVP_sha256()) > 0 && PEM_write_bio_X509(pem, x) == 1);
	int n = i2d_PrivateKey(key, &p);
	INVARIANT(n > 0);
	*der = str_dup(a, str_n(p, (size_t)n));
	OPENSSL_clear_free(p, (size_t)n);
	*r = (struct sns_rec_signer){
		.private_key = vault_wrap(s->cloud->vault, a, CONTEXT, *der), .certificate = bio_text(a, pem)};
	store_put(tx, signer_key(a), sns_rec_signer_encode(a, r));
	BIO_free(pem);
	X509_free(x);
	EVP_PKEY_free(key);
}

static status load(struct sns *s, struct store_tx *tx, struct arena *a, struct sns_rec_signer *r, struct str *der)
{
	struct str bytes;
	status st = store_get(tx, signer_key(a), &bytes);
	if (status_is(st, STATUS_NOT_FOUND)) {
		make(s, tx, a, r, der);
		return OK;
	}
	TRY(st);
	TRY(sns_rec_signer_decode(a, bytes, r));
	return vault_unwrap(s->cloud->vault, a, CONTEXT, r->private_key, der);
}

struct str sns_certificate(struct cloud *cloud, struct arena *a)
{
	struct sns_rec_signer r = {0};
	struct str bytes;
	struct store_tx *tx = store_begin(cloud->store, a, true);
	status st = store_get(tx, signer_key(a), &bytes);
	if (is_ok(st)) st = sns_rec_signer_decode(a, str_dup(a, bytes), &r);
	store_end(tx);
	return is_ok(st) ? r.certificate : STR_NONE;
}

static struct str sign(struct arena *a, struct str der, bool sha256, struct str text)
{
	const unsigned char *p = (const unsigned char *)der.p;
	EVP_PKEY *key = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &p, (long)der.n);
	EVP_MD_CTX *x = EVP_MD_CTX_new();
	unsigned char out[512];
	size_t n = sizeof(out);
	INVARIANT(key && x && EVP_DigestSignInit(x, NULL, sha256 ? EVP_sha256() : EVP_sha1(), NULL, key) == 1);
	INVARIANT(EVP_DigestSign(x, out, &n, (const unsigned char *)text.p, text.n) == 1);
	EVP_MD_CTX_free(x);
	EVP_PKEY_free(key);
	return str_base64(a, str_n(out, n));
}

/* ── the envelope ── */

static void field(struct buf *b, const char *name, struct str value)
{
	buf_fmt(b, "%s\"%s\" : ", b->n > 1 ? ",\n  " : "\n  ", name);
	json_quote(b, value);
}

static void write_attributes(struct buf *b, struct arena *a, const struct sns_rec_message *m)
{
	if (!m->attributes.n) return;
	buf_lit(b, ",\n  \"MessageAttributes\" : {");
	for (size_t i = 0; i < m->attributes.n; i++) {
		const struct sns_rec_attribute *at = &m->attributes.v[i];
		buf_str(b, i ? STR(",\n    ") : STR("\n    "));
		json_quote(b, at->name);
		buf_lit(b, " : {\"Type\":");
		json_quote(b, at->type);
		buf_lit(b, ",\"Value\":");
		json_quote(b, str_has(at->bytes) ? str_base64(a, at->bytes) : at->text);
		buf_byte(b, '}');
	}
	buf_lit(b, "\n  }");
}

status sns_envelope(struct sns *s, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_message *m, const struct sns_rec_subscription *to, struct str *out)
{
	struct sns_rec_signer r = {0};
	struct str der;
	struct buf b = BUF_IN(a), text = BUF_IN(a);
	bool v2 = str_is(str_or(sns_get(&t->attributes, STR("SignatureVersion")), STR("1")), "2");
	TRY(load(s, tx, a, &r, &der));
	struct str body = sns_body_for(a, m, to->protocol), arn = sns_topic_arn(a, t),
		   when = time_iso8601(a, m->published.ms, true);
	/* The signed fields are in the order of their names: Message, MessageId, Subject, Timestamp, TopicArn, Type. */
	buf_fmt(&text, "Message\n%.*s\nMessageId\n%.*s\n", STR_ARG(body), STR_ARG(m->id));
	if (str_has(m->subject)) buf_fmt(&text, "Subject\n%.*s\n", STR_ARG(m->subject));
	buf_fmt(&text, "Timestamp\n%.*s\nTopicArn\n%.*s\nType\nNotification\n", STR_ARG(when), STR_ARG(arn));
	buf_byte(&b, '{');
	field(&b, "Type", STR("Notification"));
	field(&b, "MessageId", m->id);
	if (m->sequence.has) field(&b, "SequenceNumber", str_fmt(a, "1%019lld", (long long)m->sequence.v));
	field(&b, "TopicArn", arn);
	if (str_has(m->subject)) field(&b, "Subject", m->subject);
	field(&b, "Message", body);
	field(&b, "Timestamp", when);
	field(&b, "SignatureVersion", v2 ? STR("2") : STR("1"));
	field(&b, "Signature", sign(a, der, v2, buf_done(&text)));
	vault_wipe(der);
	field(&b, "SigningCertURL", str_fmt(a, "http://%.*s/_virga/sns.pem", STR_ARG(s->cloud->public_host)));
	field(&b, "UnsubscribeURL",
		str_fmt(a, "http://%.*s/?Action=Unsubscribe&SubscriptionArn=%.*s", STR_ARG(s->cloud->public_host),
			STR_ARG(sns_subscription_arn(a, t, to->id))));
	write_attributes(&b, a, m);
	buf_lit(&b, "\n}");
	*out = buf_done(&b);
	return OK;
}

status sns_confirmation(struct sns *s, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_subscription *to, struct str id, struct str *out)
{
	struct sns_rec_signer r = {0};
	struct str der, arn = sns_topic_arn(a, t), when = time_iso8601(a, to->created.ms, true);
	struct buf b = BUF_IN(a), text = BUF_IN(a);
	bool v2 = str_is(str_or(sns_get(&t->attributes, STR("SignatureVersion")), STR("1")), "2");
	TRY(load(s, tx, a, &r, &der));
	struct str says = str_fmt(a,
		"You have chosen to subscribe to the topic %.*s.\nTo confirm the subscription, visit the SubscribeURL "
		"included in "
		"this message.",
		STR_ARG(arn));
	struct str url = str_fmt(a, "http://%.*s/?Action=ConfirmSubscription&TopicArn=%.*s&Token=%.*s",
		STR_ARG(s->cloud->public_host), STR_ARG(arn), STR_ARG(to->token));
	/* Message, MessageId, SubscribeURL, Timestamp, Token, TopicArn, Type. */
	buf_fmt(&text,
		"Message\n%.*s\nMessageId\n%.*s\nSubscribeURL\n%.*s\nTimestamp\n%.*s\nToken\n%.*s\nTopicArn\n%.*s\n",
		STR_ARG(says), STR_ARG(id), STR_ARG(url), STR_ARG(when), STR_ARG(to->token), STR_ARG(arn));
	buf_lit(&text, "Type\nSubscriptionConfirmation\n");
	buf_byte(&b, '{');
	field(&b, "Type", STR("SubscriptionConfirmation"));
	field(&b, "MessageId", id);
	field(&b, "Token", to->token);
	field(&b, "TopicArn", arn);
	field(&b, "Message", says);
	field(&b, "SubscribeURL", url);
	field(&b, "Timestamp", when);
	field(&b, "SignatureVersion", v2 ? STR("2") : STR("1"));
	field(&b, "Signature", sign(a, der, v2, buf_done(&text)));
	vault_wipe(der);
	field(&b, "SigningCertURL", str_fmt(a, "http://%.*s/_virga/sns.pem", STR_ARG(s->cloud->public_host)));
	buf_lit(&b, "\n}");
	*out = buf_done(&b);
	return OK;
}
