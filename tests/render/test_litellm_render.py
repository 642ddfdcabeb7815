"""LiteLLM's configuration and objects."""

from __future__ import annotations

import base64

import pytest
import yaml
from pydantic import SecretStr

from genai_platform.config.settings import Settings
from genai_platform.errors import ConfigError
from genai_platform.render import addresses, litellm, manifests
from genai_platform.render.outputs import DataOutputs
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.render.workload_identity import WorkloadIdentity

DATA = DataOutputs(
    postgres_cluster_id="c", postgres_host="db.example", postgres_port=5432, postgres_admin="boss", redis_replication_group_id="r",
    redis_host="redis.example", redis_port=6379,
)  # fmt: skip
SECRETS = PlatformSecrets(upstream_keys={"AZURE_API_KEY": SecretStr("upstream-key-1")})


def model(name="gpt", **change):
    return {"name": name, "azure_deployment": "d", "api_base": "https://x.openai.azure.com"} | change


def settings(models=1, **change):
    entries = models if isinstance(models, list) else [model(f"m{number}") for number in range(models)]
    return Settings.model_validate({"litellm": {"models": entries, **change}})


@pytest.mark.parametrize("count", [0, 1, 300])
def test_every_model_is_in_the_configuration(count):
    config = yaml.safe_load(litellm.proxy_config(settings(count)))
    assert [entry["model_name"] for entry in config["model_list"]] == [f"m{number}" for number in range(count)]
    for entry in config["model_list"]:
        assert entry["litellm_params"] == {
            "model": "azure/d",
            "api_base": "https://x.openai.azure.com",
            "api_key": "os.environ/AZURE_API_KEY",
            "api_version": "2024-10-21",
        }


def test_a_model_says_what_is_behind_its_deployment():
    """From it LiteLLM knows the price, and which parameters a model takes: the rest is dropped."""
    config = yaml.safe_load(litellm.proxy_config(settings([model("a", base_model="gpt-4o"), model("b", mode="embedding")])))
    assert [entry["model_info"] for entry in config["model_list"]] == [
        {"mode": "chat", "base_model": "azure/gpt-4o"},
        {"mode": "embedding"},
    ]
    assert config["litellm_settings"]["drop_params"] is True


def test_the_api_version_stays_text():
    assert '"2024-10-21"' in litellm.proxy_config(settings())


@pytest.mark.parametrize("name", ["a: b", "日本語", "#x", "'", '"', "null", "- a", "\U0001f600", "a\nb", "%x"])
def test_hostile_names_survive(name):
    config = yaml.safe_load(litellm.proxy_config(settings([model(name, azure_deployment=name)])))
    assert config["model_list"][0]["model_name"] == name
    assert config["model_list"][0]["litellm_params"]["model"] == f"azure/{name}"


def test_callbacks_follow_the_choice():
    assert yaml.safe_load(litellm.proxy_config(settings()))["litellm_settings"]["callbacks"] == ["langfuse_otel"]
    old = yaml.safe_load(litellm.proxy_config(settings(callback="langfuse")))["litellm_settings"]
    assert old["success_callback"] == ["langfuse"]
    assert "callbacks" not in old


def test_traces_go_nowhere_but_into_the_cluster():
    own = litellm.variables(DATA)
    assert own["LANGFUSE_HOST"] == own["LANGFUSE_OTEL_HOST"] == "http://langfuse-web:3000"
    assert (own["REDIS_SSL"], own["LITELLM_LOG"]) == ("True", "ERROR")


def test_the_database_is_reached_encrypted_and_the_secret_holds_what_the_pod_needs():
    secret = next(one for one in litellm.config(settings(), DATA, "arn:r", SECRETS) if one["kind"] == "Secret")
    plain = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    password = SECRETS.postgres_litellm_password.get_secret_value()
    assert plain["DATABASE_URL"] == f"postgresql://litellm:{password}@db.example:5432/litellm?sslmode=require"
    assert plain["AZURE_API_KEY"] == "upstream-key-1"
    assert plain["LITELLM_MASTER_KEY"].startswith("sk-")


def test_no_secret_outside_the_secret():
    made = [
        *litellm.config(settings(), DATA, "arn:r", SECRETS),
        *litellm.proxy(settings(), DATA, "arn:r", SECRETS),
        *litellm.migration(settings(), DATA),
        *litellm.database(DATA, SECRETS),
    ]
    text = yaml.safe_dump_all(one for one in made if one["kind"] != "Secret")
    for value in litellm.secret_values(settings(), DATA, SECRETS).values():
        assert value not in text


def test_a_missing_key_is_named_with_what_to_do():
    with pytest.raises(ConfigError, match="OTHER_KEY") as caught:
        litellm.secret_values(settings([model(api_key_env="OTHER_KEY")]), DATA, SECRETS)
    assert "OTHER_KEY" in str(caught.value.remedy)


def deployment(secrets=SECRETS, **change):
    return litellm.proxy(settings(**change), DATA, "arn:r", secrets)


def test_one_replica_is_recreated_and_may_be_moved_more_keep_one():
    one, budget = deployment()
    assert one["spec"]["strategy"] == {"type": "Recreate"}
    assert budget["spec"]["maxUnavailable"] == 1
    more, budget = deployment(replicas=3)
    assert more["spec"]["strategy"]["type"] == "RollingUpdate"
    assert budget["spec"]["minAvailable"] == 1
    assert "maxUnavailable" not in budget["spec"]


def test_replicas_are_exchanged_no_faster_than_the_load_balancer_learns_of_them():
    (more, _), interval = deployment(replicas=2), 10
    pod = more["spec"]["template"]["spec"]
    served_on = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert more["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert more["spec"]["minReadySeconds"] >= 2 * interval, "a new pod is checked before an old one ends"
    assert served_on > 15, "an ending pod serves until its target is deregistered"
    assert pod["terminationGracePeriodSeconds"] - served_on >= 120, "and after that what is under way may end"


def test_a_single_replica_ends_at_once_since_nobody_takes_over():
    one, _ = deployment()
    assert "lifecycle" not in one["spec"]["template"]["spec"]["containers"][0]
    assert "minReadySeconds" not in one["spec"]


def test_idle_connections_live_longer_here_than_at_the_load_balancer():
    parameters = manifests.ingress_class("g", [])[0]["spec"]["loadBalancerAttributes"]
    (idle,) = [int(one["value"]) for one in parameters if one["key"] == "idle_timeout.timeout_seconds"]
    env = {entry["name"]: entry["value"] for entry in deployment()[0]["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert int(env["KEEPALIVE_TIMEOUT"]) > idle


def test_every_home_and_cache_is_where_the_pod_may_write():
    pods = [deployment()[0]["spec"]["template"]["spec"], litellm.migration(settings(), DATA)[0]["spec"]["template"]["spec"]]
    for pod in pods:
        (container,) = pod["containers"]
        env = {entry["name"]: entry.get("value", "") for entry in container["env"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        writable = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
        for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR"):
            assert any(f"{env[name]}/".startswith(f"{path}/") for path in writable), name


def test_the_pod_is_confined():
    pod = deployment()[0]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {probe for probe in container if probe.endswith("Probe")} == {"startupProbe", "livenessProbe", "readinessProbe"}
    written = {entry["value"] for entry in container["env"] if entry["name"] in ("LITELLM_UI_PATH", "LITELLM_ASSETS_PATH", "TMPDIR")}
    assert all(path.startswith("/run/litellm") for path in written)


def test_pods_change_with_configuration_or_secrets_only():
    stamp = lambda made: made[0]["spec"]["template"]["metadata"]["annotations"]  # noqa: E731
    assert stamp(deployment()) == stamp(deployment())
    assert stamp(deployment()) != stamp(deployment(models=2))
    assert stamp(deployment()) != stamp(deployment(PlatformSecrets(upstream_keys=SECRETS.upstream_keys)))


@pytest.mark.parametrize(
    ("ingress", "litellm_url", "langfuse_url"),
    [
        ({}, "https://lb", "https://lb:8443"),
        ({"domain": "x.example.com"}, "https://litellm.x.example.com", "https://langfuse.x.example.com"),
        ({"tls": "none"}, "http://lb", "http://lb:3000"),
        ({"litellm_port": 1234, "langfuse_port": 5678}, "https://lb:1234", "https://lb:5678"),
    ],
)
def test_public_addresses(ingress, litellm_url, langfuse_url):
    given = Settings.model_validate({"ingress": ingress})
    status = {"status": {"loadBalancer": {"ingress": [{"hostname": "lb"}]}}}
    assert addresses.url(given, "litellm", status) == litellm_url
    assert addresses.url(given, "langfuse", status) == langfuse_url
    assert addresses.url(given, "litellm", {"status": {"loadBalancer": {}}}) is None
    assert addresses.url(given, "litellm", None) is None


def test_the_proxy_is_not_moved_and_has_the_memory_it_may_use():
    template = deployment()[0]["spec"]["template"]
    assert template["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] == "true"
    resources = template["spec"]["containers"][0]["resources"]
    assert resources["requests"]["memory"] == resources["limits"]["memory"]


def test_deployments_of_one_name_share_its_load_and_can_be_told_apart():
    two = [model("gpt", api_base=f"https://{region}.openai.azure.com", weight=weight, order=1) for region, weight in (("a", 3), ("b", 1))]
    entries = yaml.safe_load(litellm.proxy_config(settings([*two, model("alone")])))["model_list"]
    assert [(one["model_name"], one["litellm_params"].get("weight"), one["litellm_params"].get("order")) for one in entries] == [
        ("gpt", 3, 1), ("gpt", 1, 1), ("alone", None, None),
    ]  # fmt: skip
    assert len({one["model_info"]["id"] for one in entries[:2]}) == 2
    assert "id" not in entries[2]["model_info"], "who has no group keeps the configuration of before"


def test_what_routes_is_said_with_litellms_names_and_a_group_tries_its_others_first():
    made = settings(
        [model("gpt", api_base="https://a.example.com"), model("gpt", api_base="https://b.example.com"), model("small")],
        router={"num_retries": 3, "cooldown_time": 60},
        fallbacks={"fallbacks": {"gpt": ["small"]}, "content_policy_fallbacks": {"small": ["gpt"]}},
    )
    document = yaml.safe_load(litellm.proxy_config(made))
    routing = {name: value for name, value in document["router_settings"].items() if not name.startswith("redis_")}
    assert routing == {
        "num_retries": 3, "cooldown_time": 60, "enable_weighted_failover": True,
        "fallbacks": [{"gpt": ["small"]}], "content_policy_fallbacks": [{"small": ["gpt"]}],
    }  # fmt: skip
    # Else a caller is led to models it may not have.
    assert document["general_settings"]["enforce_fallback_model_access"] is True


def test_without_groups_and_fallbacks_the_configuration_is_as_before():
    document = yaml.safe_load(litellm.proxy_config(settings([model("alone")])))
    assert all(name.startswith("redis_") for name in document["router_settings"])
    assert "enforce_fallback_model_access" not in document["general_settings"]


KEYLESS = WorkloadIdentity("client", "tenant")


def keyless(*further):
    azure = {
        "enabled": True,
        "tenant_id": "1" * 8 + "-1111-4111-8111-" + "1" * 12,
        "subscription_id": "2" * 8 + "-2222-4222-8222-" + "2" * 12,
    }
    models = [model("a", auth="entra"), *further]
    return Settings.model_validate({"litellm": {"models": models}, "azure": {**azure, "apim": {"publisher_email": "a@example.com"}}})


def test_a_model_without_a_key_names_none_and_the_proxy_asks_for_tokens():
    config = yaml.safe_load(litellm.proxy_config(keyless()))
    assert "api_key" not in config["model_list"][0]["litellm_params"]
    assert config["litellm_settings"]["enable_azure_ad_token_refresh"] is True
    assert "enable_azure_ad_token_refresh" not in yaml.safe_load(litellm.proxy_config(settings()))["litellm_settings"]
    assert not {name for name in litellm.secret_values(keyless(), DATA, PlatformSecrets()) if "AZURE" in name}


def test_its_pod_signs_in_with_its_service_accounts_token():
    pod = litellm.proxy(keyless(), DATA, "arn", SECRETS, KEYLESS)[0]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    given = {entry["name"]: entry["value"] for entry in container["env"] if entry["name"].startswith("AZURE_")}
    file = "/var/run/secrets/azure/tokens/token"
    assert given == {
        "AZURE_CLIENT_ID": "client", "AZURE_CREDENTIAL": "WorkloadIdentityCredential", "AZURE_FEDERATED_TOKEN_FILE": file,
        "AZURE_TENANT_ID": "tenant",
    }  # fmt: skip
    (volume,) = [one for one in pod["volumes"] if "projected" in one]
    (source,) = volume["projected"]["sources"]
    assert source == {"serviceAccountToken": {"audience": "api://AzureADTokenExchange", "expirationSeconds": 3600, "path": "token"}}
    (mount,) = [one for one in container["volumeMounts"] if one["name"] == volume["name"]]
    assert (f"{mount['mountPath']}/token", mount["readOnly"]) == (file, True)


def test_beside_it_no_key_has_a_name_that_litellm_takes_for_every_models():
    both = keyless(model("b"), model("c", api_key_env="OTHER_KEY"))
    config = yaml.safe_load(litellm.proxy_config(both))
    assert [entry["litellm_params"].get("api_key") for entry in config["model_list"]] == [
        None, "os.environ/KEY_OF_AZURE_API_KEY", "os.environ/OTHER_KEY",
    ]  # fmt: skip
    secrets = PlatformSecrets(upstream_keys={"AZURE_API_KEY": SecretStr("one"), "OTHER_KEY": SecretStr("two")})
    values = litellm.secret_values(both, DATA, secrets)
    assert (values["KEY_OF_AZURE_API_KEY"], values["OTHER_KEY"], "AZURE_API_KEY" in values) == ("one", "two", False)


def test_each_provider_is_asked_its_own_way_and_bedrock_without_a_key():
    bedrock = {"provider": "bedrock", "model": "us.amazon.nova-lite-v1:0"}
    titan = {"provider": "bedrock", "model": "amazon.titan-embed-text-v2:0", "mode": "embedding", "region": "us-east-1"}
    vllm = {"provider": "openai", "model": "qwen3", "api_base": "http://vllm:8000/v1", "api_key_env": "VLLM_KEY", "base_model": "gpt-4o"}
    arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123def456"
    sales = bedrock | {"application_inference_profile": arn}
    old = {"provider": "openai", "model": "gpt-3.5-turbo-instruct", "mode": "completion"}
    named = {"nova": bedrock, "titan": titan, "qwen": vllm, "old": old, "sales": sales}
    wanted = settings([model(), *({"name": name, **one} for name, one in named.items())])
    found = {one["model_name"]: one for one in yaml.safe_load(litellm.proxy_config(wanted))["model_list"]}
    assert found["nova"]["litellm_params"] == {
        "model": "bedrock/converse/us.amazon.nova-lite-v1:0",
        "aws_region_name": wanted.platform.region,
    }
    assert found["sales"]["litellm_params"] == {
        "model": "bedrock/converse/us.amazon.nova-lite-v1:0",
        "aws_region_name": "eu-west-1",
        "model_id": arn,
    }
    assert found["titan"]["litellm_params"] == {"model": "bedrock/amazon.titan-embed-text-v2:0", "aws_region_name": "us-east-1"}
    assert found["titan"]["model_info"] == {"mode": "embedding"}
    assert found["qwen"]["litellm_params"] == {
        "model": "openai/qwen3",
        "api_base": "http://vllm:8000/v1",
        "api_key": "os.environ/VLLM_KEY",
    }
    assert found["qwen"]["model_info"] == {"mode": "chat", "base_model": "gpt-4o"}
    assert found["old"]["litellm_params"]["model"] == "text-completion-openai/gpt-3.5-turbo-instruct"


def test_a_model_without_a_key_demands_none():
    only = settings([{"name": "nova", "provider": "bedrock", "model": "us.amazon.nova-lite-v1:0"}])
    assert set(litellm.secret_values(only, DATA, PlatformSecrets())) == set(litellm.secret_values(settings(), DATA, SECRETS)) - {
        "AZURE_API_KEY"
    }
