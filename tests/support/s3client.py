"""A small S3, STS and IAM client that signs in the header (version 4): standard library only.

    alice = S3(server.s3, access_key, secret)
    alice.request("PUT", "/bucket").ok()

What is asked for is sent as it is: for tests that ask for what no SDK would.
"""
import hashlib
import hmac
import http.client
import os
import time
import urllib.parse
import xml.etree.ElementTree as ET


def hashed(data):
    return hashlib.sha256(data).hexdigest()


def keyed(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def quoted(text, safe="-._~"):
    return urllib.parse.quote(text, safe=safe)


class S3Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def xml(self):
        root = ET.fromstring(self.body)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root

    @property
    def code(self):
        """The error's code; empty where there is none."""
        if self.status < 300 or not self.body:
            return ""
        found = self.xml.find(".//Code")
        return found.text if found is not None else ""

    def text(self, path):
        return self.xml.findtext(".//" + path)

    def ok(self):
        assert self.status < 300, f"{self.status}: {self.body[:500]!r}"
        return self


class S3:
    """`access_key` None: unsigned requests."""

    def __init__(self, address, access_key=None, secret=None, token=None, region="us-east-1"):
        self.address, self.access_key, self.secret, self.token, self.region = address, access_key, secret, token, region

    def signed(self, method, path, query, headers, body, service):
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = {**headers, "host": self.address, "x-amz-date": now}
        if service == "s3":
            headers["x-amz-content-sha256"] = hashed(body)
        if self.token is not None:
            headers["x-amz-security-token"] = self.token
        headers = {name.lower(): value for name, value in headers.items()}
        names = ";".join(sorted(headers))
        request = "\n".join([method, path, query, "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers)),
                             names, hashed(body)])
        scope = f"{now[:8]}/{self.region}/{service}/aws4_request"
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = keyed(key, part)
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashed(request.encode())])
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, "
                                    f"Signature={keyed(key, text).hex()}")
        return headers

    def request(self, method, path, params=None, body=b"", headers=None, service="s3"):
        path = quoted(path, "/-._~")
        query = "&".join(f"{quoted(name)}={quoted(value)}" for name, value in sorted((params or {}).items()))
        headers = dict(headers or {})
        if self.access_key is not None:
            headers = self.signed(method, path, query, headers, body, service)
        connection = http.client.HTTPConnection(self.address, timeout=120)
        try:
            connection.request(method, path + ("?" + query if query else ""), body or None, headers)
            answer = connection.getresponse()
            return S3Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def sts(self, **form):
        body = urllib.parse.urlencode({"Version": "2011-06-15", **form}).encode()
        return self.request("POST", "/", None, body, {"Content-Type": "application/x-www-form-urlencoded"}, "sts")

    def iam(self, action, **form):
        body = urllib.parse.urlencode({"Action": action, "Version": "2010-05-08", **form}).encode()
        return self.request("POST", "/", None, body, {"Content-Type": "application/x-www-form-urlencoded"}, "iam")

    def session(self, **form):
        """A client with credentials of AssumeRole (or of `Action`)."""
        if form.get("Action", "AssumeRole") == "AssumeRole":
            form = {"Action": "AssumeRole", "RoleArn": "arn:aws:iam::000000000000:role/test", "RoleSessionName": "test",
                    **form}
        answer = self.sts(**form).ok()
        return S3(self.address, answer.text("AccessKeyId"), answer.text("SecretAccessKey"), answer.text("SessionToken"))


def root_s3(server):
    """The client with root's pair."""
    with open(os.path.join(server.data, "secrets/root.s3"), encoding="utf-8") as file:
        return S3(server.s3, *file.read().split())
