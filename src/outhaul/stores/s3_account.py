"""Who we are, to S3, and where it is: credentials, region, endpoint and certificates.

The standard AWS order: the environment, then what botocore finds (shared files and named profiles, a credential process,
web identity, ECS and EKS, EC2). botocore is imported only where the environment alone does not suffice: it takes
longer to load than the rest of the program.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from outhaul.model.address import sends_in_the_clear, without_bucket
from outhaul.model.errors import Misconfigured
from outhaul.model.job import Connection
from outhaul.stores.s3_errors import keep_secret, mask

NO_CREDENTIALS = (
    "no AWS credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile (--profile)"
)


class Account(NamedTuple):
    """What a client needs to speak for us."""

    endpoint_url: str
    """'' is AWS itself."""
    region: str
    access_key_id: str
    """With the next two: fixed credentials, from the environment; '' where `provider` gives them."""
    secret_access_key: str
    session_token: str
    provider: Callable[[], dict[str, Any]] | None
    """Gives credentials that are fresh at each call, in the form that obstore asks for."""
    session: Any
    """The botocore session, where one was needed."""
    ca_bundle: str
    """Path of a file with certificates to trust besides the system's; '' for none."""
    proxy: str = ""
    """Address of a forward proxy; '' leaves it to the environment."""
    accelerate: bool = False
    dual_stack: bool = False
    fips: bool = False


def account(connection: Connection, environment: Mapping[str, str], bucket: str = "") -> Account:
    """Everything that can be known without asking anybody over the network.

    Args:
        connection: As configured.
        environment: Which says what is not.
        bucket: That it is for; an endpoint may not end with it.

    Raises:
        Misconfigured: no credentials, an unknown profile, an endpoint that does not go with other settings.
    """
    endpoint = endpoint_url(connection, environment)
    if instead := without_bucket(endpoint, bucket):  # The environment is seen by no check of a configuration.
        told = instead.rpartition("@")[2]  # Whatever stands before that is no address (L14).
        raise Misconfigured(f"the endpoint ends with the bucket, which each request names already; write {told}")
    way = _way(connection, endpoint, environment)
    region = connection.region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION", "")
    ca_bundle = connection.ca_file or environment.get("AWS_CA_BUNDLE", "")
    fixed = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if fixed[0] and fixed[1] and not connection.profile and (region or not _has_files(environment)):
        token = environment.get("AWS_SESSION_TOKEN", "")
        keep_secret(fixed[1], token)
        return Account(endpoint, region or "us-east-1", fixed[0], fixed[1], token, None, None, ca_bundle, *way)
    session = _session(connection)
    region = region or session.get_config_variable("region") or "us-east-1"
    return Account(endpoint, region, "", "", "", _provider(session), session, ca_bundle, *way)


def _way(connection: Connection, endpoint: str, environment: Mapping[str, str]) -> tuple[str, bool, bool, bool]:
    """Proxy, accelerate, dual-stack and FIPS; the environment can set an endpoint that no configuration told of."""
    if endpoint and (connection.accelerate or connection.dual_stack or connection.fips):
        raise Misconfigured(
            f"accelerate, dual-stack and fips are endpoints of AWS itself, and the endpoint is {endpoint}"
        )
    if connection.sse_c_key_file and sends_in_the_clear(endpoint):
        raise Misconfigured(f"sse-c-key-file: the key would go over plain HTTP to {endpoint}; use https://")
    # AWS SDKs and tools reference guide, "Dual-stack and FIPS endpoints"; what was meant for AWS is not for others.
    told = [not endpoint and environment.get(name, "").lower() == "true" for name in _AWS_USE]
    return connection.proxy, connection.accelerate, connection.dual_stack or told[0], connection.fips or told[1]


_AWS_USE = ("AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT")


def endpoint_url(connection: Connection, environment: Mapping[str, str]) -> str:
    """Where S3 is: as configured, else as the environment says (AWS, "Service-specific endpoints"); '' is AWS itself."""
    return connection.endpoint_url or environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL", "")


def _has_files(environment: Mapping[str, str]) -> bool:
    return os.path.exists(environment.get("AWS_CONFIG_FILE") or os.path.join(os.path.expanduser("~"), ".aws", "config"))


def _session(connection: Connection) -> Any:
    import botocore.exceptions
    import botocore.session

    session = botocore.session.Session(profile=connection.profile or None)
    try:
        session.get_scoped_config()
    except botocore.exceptions.BotoCoreError as error:
        raise Misconfigured(f"{error}".rstrip(".") + "; see ~/.aws/config and ~/.aws/credentials") from error
    return session


def no_credentials(error: Exception) -> Misconfigured:
    """What whoever gives credentials raised (botocore's providers, a program, a service on loopback), on one line."""
    return Misconfigured(f"AWS credentials cannot be had: {type(error).__name__}: {mask(str(error))[:300]}")


def _provider(session: Any) -> Callable[[], dict[str, Any]]:
    try:
        credentials = session.get_credentials()
    except Exception as error:  # botocore's own; and KeyError and the like, where a service answers with nonsense.
        raise no_credentials(error) from error
    if credentials is None:
        raise Misconfigured(NO_CREDENTIALS)

    def fresh() -> dict[str, Any]:
        from datetime import UTC

        frozen = credentials.get_frozen_credentials()
        end = getattr(credentials, "_expiry_time", None)
        keep_secret(frozen.secret_key, frozen.token)
        given: dict[str, Any] = {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "expires_at": end.astimezone(UTC) if end else None,  # obstore takes no other zone.
        }
        if frozen.token:
            given["token"] = frozen.token
        return given

    return fresh
