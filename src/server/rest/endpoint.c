/* Where clients find S3: what a table's answer and getConfig tell, and which hosts a request may be signed for. */
#include "rest/vend.h"

/* Of "host:port", "[::1]:port". */
static void split_address(str address, str *ret_host, str *ret_port)
{
    size_t colon = str_find_last_char(address, ':');
    bool has_port = colon != STR_NPOS && !str_ends_with(address, STR("]"));

    *ret_host = has_port ? str_slice(address, 0, colon) : address;
    *ret_port = has_port ? str_slice(address, colon + 1, address.size) : STR("");
}

static bool is_wildcard(str host)
{
    return str_equal(host, STR("0.0.0.0")) || str_equal(host, STR("[::]")) || host.size == 0;
}

/* The setting; else the address that the door listens at, where it listens everywhere under the name by which the
 * client called this one. */
static str endpoint(const rest_call *c)
{
    str set = setting_text(c->base.app->settings, SETTING_S3_ENDPOINT);
    str host;
    str port;
    str called;
    str ignored;

    if (set.size > 0) {
        return set;
    }
    split_address(str_c(c->base.app->s3_address), &host, &port);
    if (is_wildcard(host)) {
        split_address(http_request_header(c->base.x, "Host"), &called, &ignored);
        host = called.size > 0 ? called : STR("127.0.0.1");
    }
    return str_printf(c->base.a, "http://%.*s:%.*s", STR_ARG(host), STR_ARG(port));
}

static bool is_authority(str asked, str host, str port)
{
    bool has_host = asked.size > host.size &&
                    str_equal_nocase(str_slice(asked, 0, host.size), host) &&
                    asked.data[host.size] == ':';

    if (host.size > 0 && str_equal(port, STR("80")) && str_equal_nocase(asked, host)) {
        return true;
    }
    return host.size > 0 && has_host &&
           str_equal(str_slice(asked, host.size + 1, asked.size), port);
}

str rest__authority_of(str url)
{
    str scheme = str_starts_with(url, STR("http://")) ? STR("http://") : STR("https://");
    str usual = str_equal(scheme, STR("http://")) ? STR(":80") : STR(":443");
    str authority = str_slice(url, scheme.size, url.size);
    size_t end = 0;

    while (end < authority.size && authority.data[end] != '/' && authority.data[end] != '?') {
        end++;
    }
    authority = str_slice(authority, 0, end);
    return str_ends_with(authority, usual) ? str_slice(authority, 0, authority.size - usual.size)
                                           : authority;
}

bool rest__is_s3_authority(const rest_call *c, str authority)
{
    const setting_value *domains = &c->base.app->settings->values[SETTING_S3_DOMAIN];
    str set = setting_text(c->base.app->settings, SETTING_S3_ENDPOINT);
    str host = STR("");
    str port = STR("");
    str called = STR("");
    str ignored;

    if (set.size > 0 && str_equal_nocase(authority, rest__authority_of(set))) {
        return true;
    }
    split_address(str_c(c->base.app->s3_address), &host, &port);
    split_address(http_request_header(c->base.x, "Host"), &called, &ignored);
    for (size_t i = 0; i < domains->list_count; i++) {
        if (is_authority(authority, domains->list[i], port)) {
            return true;
        }
    }
    return is_authority(authority, called, port) ||
           (!is_wildcard(host) && is_authority(authority, host, port));
}

void rest__write_place(const rest_call *c, json_writer *w)
{
    str region = setting_text(c->base.app->settings, SETTING_S3_REGION);

    json_member_str(w, "s3.endpoint", endpoint(c));
    json_member_c(w, "s3.path-style-access", "true");
    json_member_str(w, "s3.region", region);
    json_member_str(w, "client.region", region);
}

void rest__write_defaults(rest_call *c, json_writer *w)
{
    if (c->base.app->s3_address[0] != '\0') {
        rest__write_place(c, w);
    }
}
