#!/usr/bin/env python3
"""S3 clients as people use them, unmodified: boto3 with its defaults, the aws CLI, PyArrow, rclone and s3cmd, each
writing what another reads."""
import os
import shutil
import subprocess
import sys

import boto3
import pyarrow.fs

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import equal, main, shared, skip, test  # noqa: E402

BODY = bytes(range(256)) * 40000  # 10 MB: sent in parts by all of them


def keys():
    with open(os.path.join(shared().data, "secrets/root.s3"), encoding="utf-8") as file:
        return file.read().split()


def endpoint():
    return "http://" + shared().s3


def boto(bucket):
    access_key, secret = keys()
    s3 = boto3.client("s3", endpoint_url=endpoint(), aws_access_key_id=access_key, aws_secret_access_key=secret,
                      region_name="us-east-1")
    s3.create_bucket(Bucket=bucket)
    return s3


def run(*command, **env):
    access_key, secret = keys()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False,
                          env={**{name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"},
                               "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret,
                               "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": os.devnull, **env})
    equal(done.returncode, 0, f"{command[0]}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.stdout


def read(s3, bucket, key):
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def scratch(name, data=BODY):
    path = os.path.join(shared().work, name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def tool(name):
    return shutil.which(name) or os.path.join(os.path.dirname(sys.executable), name)


@test
def boto3_writes_lists_and_presigns():
    s3 = boto("by-boto")
    s3.upload_file(scratch("boto"), "by-boto", "a b/ü+.bin")
    equal(read(s3, "by-boto", "a b/ü+.bin"), BODY)
    equal([one["Key"] for one in s3.list_objects_v2(Bucket="by-boto")["Contents"]], ["a b/ü+.bin"])
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "by-boto", "Key": "a b/ü+.bin"})
    equal(run("curl", "-sS", "-o", os.devnull, "-w", "%{http_code} %{size_download}", url), f"200 {len(BODY)}")


@test
def the_aws_cli_copies_both_ways():
    s3 = boto("by-aws")
    aws = tool("aws")
    if not os.path.exists(aws):
        skip("there is no aws")
    run(aws, "--endpoint-url", endpoint(), "s3", "cp", scratch("aws"), "s3://by-aws/x")
    equal(read(s3, "by-aws", "x"), BODY)
    back = os.path.join(shared().work, "aws-back")
    run(aws, "--endpoint-url", endpoint(), "s3", "cp", "s3://by-aws/x", back)
    with open(back, "rb") as file:
        equal(file.read(), BODY)


@test
def pyarrow_reads_what_boto3_wrote():
    access_key, secret = keys()
    s3 = boto("by-arrow")
    arrow = pyarrow.fs.S3FileSystem(access_key=access_key, secret_key=secret, endpoint_override=shared().s3, scheme="http",
                                    region="us-east-1")
    with arrow.open_output_stream("by-arrow/one") as out:
        out.write(BODY)
    equal(read(s3, "by-arrow", "one"), BODY)
    s3.put_object(Bucket="by-arrow", Key="dir/two", Body=BODY)
    equal(arrow.open_input_file("by-arrow/dir/two").read(), BODY)
    equal(arrow.get_file_info("by-arrow/dir").type, pyarrow.fs.FileType.Directory)


@test
def rclone_syncs_and_checks():
    if not shutil.which("rclone"):
        skip("there is no rclone")
    s3 = boto("by-rclone")
    access_key, secret = keys()
    folder = os.path.join(shared().work, "tree")
    os.makedirs(os.path.join(folder, "deep"))
    shutil.copy(scratch("rclone"), os.path.join(folder, "deep/big"))
    remote = {"RCLONE_CONFIG_T_TYPE": "s3", "RCLONE_CONFIG_T_PROVIDER": "Other", "RCLONE_CONFIG_T_ENDPOINT": endpoint(),
              "RCLONE_CONFIG_T_ACCESS_KEY_ID": access_key, "RCLONE_CONFIG_T_SECRET_ACCESS_KEY": secret,
              "RCLONE_CONFIG": os.devnull}
    run("rclone", "sync", folder, "t:by-rclone", **remote)
    run("rclone", "check", folder, "t:by-rclone", **remote)
    equal(read(s3, "by-rclone", "deep/big"), BODY)


@test
def s3cmd_puts_and_gets():
    if not shutil.which("s3cmd"):
        skip("there is no s3cmd")
    s3 = boto("by-s3cmd")
    access_key, secret = keys()
    base = ("s3cmd", "-c", os.devnull, "--access_key=" + access_key, "--secret_key=" + secret, "--host=" + shared().s3,
            "--host-bucket=" + shared().s3, "--no-ssl", "--no-progress")
    run(*base, "put", scratch("s3cmd"), "s3://by-s3cmd/x")
    equal(read(s3, "by-s3cmd", "x"), BODY)


main()
