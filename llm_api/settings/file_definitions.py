"""The settings of files that are kept for callers."""

import re
from urllib.parse import urlsplit

from llm_api.settings import setting_types as types
from llm_api.settings.setting_types import Section, Setting, SettingType, listed

_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*", re.IGNORECASE)


def _files_url(text: str) -> str:
    parts = urlsplit(text)
    path = r"/[^?#\0]+" if parts.scheme == "file" else r"[A-Za-z0-9_./-]*"
    bucket = r"" if parts.scheme == "file" else r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
    is_valid = parts.scheme in {"file", "s3"} and re.fullmatch(path, parts.path)
    if not is_valid or not re.fullmatch(bucket, parts.netloc) or parts.query or parts.fragment:
        raise ValueError
    if re.search(r"//|/\.{1,2}(/|$)", parts.path):
        raise ValueError
    return text


def _region(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,64}", text):
        raise ValueError
    return text


def _key(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,256}", text):
        raise ValueError
    return text


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(host.lower() for host in listed(text))
    if not hosts or not all(_HOST.fullmatch(host) for host in hosts):
        raise ValueError
    return hosts


_FILES_URL = SettingType(
    "URL",
    "file:/// and the path of a folder, or s3://bucket or s3://bucket/prefix",
    _files_url,
)
_REGION = SettingType("region", "lower-case letters, digits and -, such as us-east-1", _region)
_KEY = SettingType("key", "printable ASCII without spaces", _key, is_secret=True)
_HOSTS = SettingType(
    "hosts", "host names such as cdn.example or *.cdn.example, separated by commas", _hosts, ()
)

FILES_SECTION = Section(
    "Files: pictures that were made, and those that callers sent",
    (
        Setting(
            "FILES_URL",
            _FILES_URL,
            "Where files are kept: a folder, or storage that speaks S3's protocol.",
            "Empty: the folder files of INSTANCE_DIR. Several machines need a store that all of"
            " them reach.",
            example="FILES_URL=file:///var/lib/llm_api/files\nFILES_URL=s3://bucket/prefix",
        ),
        Setting(
            "FILES_ENDPOINT",
            types.ENDPOINT,
            "The address of an S3 store that is not Amazon's.",
            "One that takes the bucket only as a part of the host's name, as Alibaba's OSS does, is"
            " given with it.",
            example="FILES_ENDPOINT=http://minio:9000\n"
            "FILES_ENDPOINT=https://bucket.oss-cn-beijing.aliyuncs.com",
        ),
        Setting("FILES_REGION", _REGION, "The region of an S3 store.", default="us-east-1"),
        Setting("FILES_ACCESS_KEY_ID", _KEY, "The id of the access key of an S3 store."),
        Setting(
            "FILES_SECRET_ACCESS_KEY",
            _KEY,
            "The access key's secret.",
            "It needs s3:PutObject, s3:GetObject and s3:DeleteObject below the prefix. AWS_…"
            " variables are not read.",
        ),
        Setting(
            "FILES_RETENTION_DAYS",
            types.whole(1, 36_500),
            "Days after which files are deleted, and the tasks that made them.",
            default="7",
        ),
        Setting(
            "IMAGE_RESULT_HOSTS",
            _HOSTS,
            "Hosts from which pictures are copied, beside those of the vendor's profile and the"
            " upstream's own.",
            "Separated by commas; *.cdn.example stands for every name below cdn.example.",
        ),
    ),
)
