"""Presigned URLs (signature version 4), with nothing but the standard library."""
import hashlib
import hmac
import time
import urllib.parse


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Presigner:
    """Targets ("/bucket/key?X-Amz-…") that one pair of keys signs, for a server's host and port."""

    def __init__(self, access_key, secret, host, region="us-east-1", expires_s=86400):
        self.access_key, self.host, self.expires_s = access_key, host, expires_s
        self.now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self.scope = f"{self.now[:8]}/{region}/s3/aws4_request"
        key = ("AWS4" + secret).encode()
        for part in self.scope.split("/"):
            key = sign(key, part)
        self.key = key

    def target(self, method, path, **params):
        """`path` begins with "/"; what it holds is encoded here, but for the slashes."""
        path = urllib.parse.quote(path, safe="/-._~")
        params = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{self.access_key}/{self.scope}",
                  "X-Amz-Date": self.now, "X-Amz-Expires": str(self.expires_s), "X-Amz-SignedHeaders": "host", **params}
        query = "&".join(f"{urllib.parse.quote(name, safe='-._~')}={urllib.parse.quote(value, safe='-._~')}"
                         for name, value in sorted(params.items()))
        request = "\n".join([method, path, query, f"host:{self.host}\n", "host", "UNSIGNED-PAYLOAD"])
        text = "\n".join(["AWS4-HMAC-SHA256", self.now, self.scope, hashlib.sha256(request.encode()).hexdigest()])
        return f"{path}?{query}&X-Amz-Signature={sign(self.key, text).hex()}"
