"""Whose key goes where."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from pulumi_jig.config import (
    Settings,
    config_faults,
    is_loopback,
    overruled,
    resolve_settings,
    unknown_settings,
)
from pulumi_jig.errors import ConfigError

KEY = "key-canary-0123456789abcdef"


def resolve(config: dict[str, Any] | None = None, **environ: str) -> Settings:
    return resolve_settings((config or {}).get, environ)


def refusal(config: dict[str, Any] | None = None, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve(config, **environ)
    assert KEY not in caught.value.message
    return caught.value.message


class TestPrecedence:
    def test_the_stack_comes_before_the_environment(self) -> None:
        """A stack means the same account and address whoever runs it."""
        got = resolve(
            {"apiKey": KEY, "baseUrl": "https://mine.example"},
            TOGETHER_API_KEY="other",
            TOGETHER_BASE_URL="https://other.example",
        )

        expected = (KEY, "config", "https://mine.example", "config")
        assert expected == (got.api_key, got.key_source, got.base_url, got.url_source)

    def test_the_environment_comes_after_the_stack(self) -> None:
        """What the stack does not configure comes from the environment."""
        got = resolve(
            {}, TOGETHER_API_KEY=KEY, TOGETHER_BASE_URL="https://mine.example"
        )

        expected = (KEY, "environment", "https://mine.example", "environment")
        assert expected == (got.api_key, got.key_source, got.base_url, got.url_source)

    def test_the_service_is_the_default_address(self) -> None:
        """Without an address the real service is meant, never an emulator."""
        got = resolve(TOGETHER_API_KEY=KEY)

        assert (got.base_url, got.url_source) == ("https://api.together.ai", "default")

    def test_empty_variables_are_as_good_as_unset(self) -> None:
        """A pipeline that lacks a secret leaves an empty variable behind."""
        got = resolve({"apiKey": KEY}, TOGETHER_API_KEY="", TOGETHER_BASE_URL="")

        assert (got.key_source, got.url_source) == ("config", "default")

    def test_an_explicit_provider_takes_the_next_source(self) -> None:
        """What a provider is not given comes from the next source, the address too."""
        given = {"apiKey": "second", "providerArguments": "apiKey"}
        environ = {
            "TOGETHER_API_KEY": KEY,
            "TOGETHER_BASE_URL": "https://mine.example",
        }

        got = resolve(given, **environ)

        expected = ("second", "provider", "https://mine.example", "environment")
        assert expected == (got.api_key, got.key_source, got.base_url, got.url_source)
        assert overruled(given.get, environ) is None

    @pytest.mark.parametrize("empty", ["", None])
    def test_no_other_key_stands_in_for_one_that_was_given(
        self, empty: str | None
    ) -> None:
        """An output that came to nothing must not lead into somebody's own account."""
        given = {"apiKey": empty, "providerArguments": "apiKey"}

        assert "`api_key` that was given is empty" in refusal(
            given, TOGETHER_API_KEY=KEY
        )

    @pytest.mark.parametrize(
        ("config", "environ", "said"),
        [
            ({"apiKey": KEY}, {"TOGETHER_API_KEY": "other"}, "jig:apiKey is used"),
            (
                {"baseUrl": "http://localhost:1"},
                {"TOGETHER_BASE_URL": "http://localhost:2"},
                "jig:baseUrl is used",
            ),
            (
                {"apiKey": KEY, "baseUrl": "http://localhost:1"},
                {"TOGETHER_API_KEY": "o", "TOGETHER_BASE_URL": "http://localhost:2"},
                "jig:apiKey and jig:baseUrl are used",
            ),
        ],
    )
    def test_one_warning_says_which_of_two_sources_is_used(
        self, config: dict[str, str], environ: dict[str, str], said: str
    ) -> None:
        """Where stack and environment differ, the one that is used is named."""
        warning = overruled(config.get, environ)

        assert warning is not None
        assert said in warning
        assert all(name in warning for name in environ)
        assert KEY not in warning

    def test_sources_that_agree_are_worth_no_warning(self) -> None:
        """The same key or address twice, in whatever form, is no contradiction."""
        config = {"apiKey": KEY, "baseUrl": "http://localhost:1/v1"}
        environ = {"TOGETHER_API_KEY": KEY, "TOGETHER_BASE_URL": "http://localhost:1/"}

        assert overruled(config.get, environ) is None
        assert overruled(config.get, {}) is None

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("baseURL", "baseUrl"),
            ("apikey", "apiKey"),
            ("namespase", "namespace"),
            ("pararell", "parallel"),
            ("ignoreEnvironment", ""),
        ],
    )
    def test_an_unknown_setting_is_refused_with_the_near_miss(
        self, name: str, meant: str
    ) -> None:
        """A misspelt setting would be ignored, and what it was to change with it."""
        (fault,) = unknown_settings(["apiKey", "parallel", name])

        assert fault.setting == f"jig:{name}"
        assert f"jig:{name} is not a setting" in fault.sentence
        assert (f'Did you mean "{meant}"?' in fault.sentence) is bool(meant)

    def test_settings_name_what_to_change(self) -> None:
        """The names of the settings in later messages follow where values came from."""
        of_environment = resolve(TOGETHER_API_KEY=KEY, TOGETHER_BASE_URL="https://a.b")
        of_stack = resolve({"apiKey": KEY, "baseUrl": "https://a.b"})

        assert (
            of_environment.key_setting,
            of_environment.url_setting,
        ) == ("TOGETHER_API_KEY", "TOGETHER_BASE_URL")
        assert (
            of_stack.key_setting,
            of_stack.url_setting,
        ) == ("jig:apiKey", "jig:baseUrl")


class TestForms:
    @pytest.mark.parametrize(
        "value",
        [{"a": "b"}, ["a"], 1.5, 10**400],
        ids=["mapping", "list", "fraction", "huge"],
    )
    @pytest.mark.parametrize("name", ["apiKey", "baseUrl", "parallel"])
    def test_a_value_that_is_no_text_is_refused_in_a_sentence(
        self, name: str, value: Any
    ) -> None:
        """An output may turn out to be anything."""
        config = {"apiKey": "a-key", name: value}

        (fault,) = config_faults(config.get, {})

        assert name.lower() in fault.setting.lower()
        assert len(fault.sentence) < 300
        overruled(config.get, {"TOGETHER_API_KEY": "b", "TOGETHER_BASE_URL": "b"})

    @pytest.mark.parametrize("value", ["-5", "nan", "inf", "soon", '{"x":5}', ["5"]])
    def test_a_grace_that_is_no_number_of_seconds_is_refused(self, value: Any) -> None:
        """The default must not take its place without a word."""
        said = refusal({"apiKey": KEY, "pullGraceSeconds": value})

        assert "jig:pullGraceSeconds must be seconds, a number from 0" in said
        for good in ("", "0", "90", "1.5"):
            resolve({"apiKey": KEY, "pullGraceSeconds": good})

    @pytest.mark.parametrize("key", ['{"x":"canary"}', '["canary"]'])
    def test_a_key_that_is_an_object_is_not_sent(self, key: str) -> None:
        """The configuration keeps what `pulumi config set --path` made as JSON."""
        said = refusal({"apiKey": key})

        assert "jig:apiKey holds a list, a mapping" in said
        assert "canary" not in said

    @pytest.mark.parametrize("name", ["parallel", "allowInsecureHttp"])
    def test_a_long_value_is_not_repeated(self, name: str) -> None:
        """A message stays a sentence, whatever the configuration holds."""
        assert len(refusal({"apiKey": KEY, name: "k" * 100_000})) < 300


class TestKey:
    def test_a_missing_key_says_how_to_set_it(self) -> None:
        """No key is an error that holds both ways to give one."""
        message = refusal()

        assert "TOGETHER_API_KEY" in message
        assert "pulumi config set --secret jig:apiKey" in message

    @pytest.mark.parametrize(
        ("key", "word"),
        [
            (KEY + "\n", "line break"),
            ("\r" + KEY, "line break"),
            (KEY + " ", "space"),
            (f"{KEY}\t{KEY}", "space"),
            (KEY + "\x00", "control character"),
            (KEY + "é", "not ASCII"),
        ],
    )
    def test_a_key_that_cannot_stand_in_a_header(self, key: str, word: str) -> None:
        """Case N10: what is wrong is said, the key is not."""
        assert word in refusal(TOGETHER_API_KEY=key)
        assert word in refusal({"apiKey": key})

    def test_the_key_is_in_no_representation(self) -> None:
        """Case S5: repr, str and the fingerprint show no key."""
        settings = resolve(TOGETHER_API_KEY=KEY)

        assert KEY not in f"{settings!r} {settings} {settings.fingerprint}"

    def test_the_fingerprint_tells_accounts_apart(self) -> None:
        """Two keys, or two addresses, have two fingerprints."""
        prints = {
            resolve(TOGETHER_API_KEY=KEY).fingerprint,
            resolve(TOGETHER_API_KEY="other").fingerprint,
            resolve(
                TOGETHER_API_KEY=KEY, TOGETHER_BASE_URL="https://a.example"
            ).fingerprint,
        }

        assert len(prints) == 3


class TestAddress:
    @pytest.mark.parametrize(
        ("given", "used"),
        [
            ("https://api.together.ai", "https://api.together.ai"),
            ("https://api.together.ai/", "https://api.together.ai"),
            ("https://api.together.ai/v1", "https://api.together.ai"),
            ("https://api.together.ai/v1/", "https://api.together.ai"),
            ("https://api.together.xyz/v1", "https://api.together.xyz"),
            ("https://API.Together.AI:443/v1", "https://api.together.ai:443"),
            ("https://gw.example/together/v1/", "https://gw.example/together"),
            ("https://gw.example:/x", "https://gw.example/x"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://127.0.0.2:1/v1", "http://127.0.0.2:1"),
            ("http://[::1]:8080/v1", "http://[::1]:8080"),
        ],
    )
    def test_addresses_are_brought_into_one_form(self, given: str, used: str) -> None:
        """Case N12: with or without `/v1`, slash or prefix, it is the same address."""
        assert used == resolve(TOGETHER_API_KEY=KEY, TOGETHER_BASE_URL=given).base_url

    @pytest.mark.parametrize(
        ("url", "word"),
        [
            ("api.together.ai", "https://"),
            ("ftp://api.together.ai", "https://"),
            ("https://", "name a host"),
            ("https:///v1", "name a host"),
            ("https://a.example:99999", "not the address"),
            ("https://a.example:0", "not the address"),
            ("https://a..example", "not the address"),
            ("https://[::1", "not the address"),
            ("https://[fe80::zz]", "not the address"),
            ("https://[v1.fe]", "not the address"),
            ("https://ho<st", "not the address"),
            (f"https://{'a' * 64}.example", "not the address"),
            ("https://user@a.example", "user name or a password"),
            ("https://a.example?x=1", "query"),
            ("https://a.example/#x", "query"),
            ("https://a.example/?", "query"),
            ("https://a.example/x/../y", "`..`"),
            ("https://a.example/ x", "a space"),
            ("https://a.example\n", "line break"),
            ("https://ä.example", "not ASCII"),
            ("http://a.example", "plain http"),
        ],
    )
    def test_addresses_that_cannot_be_meant(self, url: str, word: str) -> None:
        """Case N12: each one gets a sentence that names the setting."""
        message = refusal(TOGETHER_API_KEY=KEY, TOGETHER_BASE_URL=url)
        assert word in message
        assert "TOGETHER_BASE_URL" in message

        assert "jig:baseUrl" in refusal({"apiKey": KEY, "baseUrl": url})

    def test_a_password_in_an_address_is_not_repeated(self) -> None:
        """The sentence about a password in the address does not hold it."""
        message = refusal(
            TOGETHER_API_KEY="x", TOGETHER_BASE_URL=f"https://me:{KEY}@a.example"
        )

        assert "me:" not in message

    @pytest.mark.parametrize("value", ["true", "True", True])
    def test_plain_http_can_be_allowed(self, value: Any) -> None:
        """Plain http to another machine is possible for whoever asks for it."""
        got = resolve(
            {"allowInsecureHttp": value},
            TOGETHER_API_KEY=KEY,
            TOGETHER_BASE_URL="http://a.example",
        )

        assert got.base_url == "http://a.example"

    @pytest.mark.parametrize("host", ["api.together.ai", "a.example"])
    def test_a_stacks_configuration_cannot_have_the_environments_key_sent_readable(
        self, host: str
    ) -> None:
        """Neither to the service itself nor elsewhere, and the switch is its own."""
        config = {"allowInsecureHttp": "true", "baseUrl": f"http://{host}"}
        message = refusal(config, TOGETHER_API_KEY=KEY)

        assert f"plain http to {host}" in message
        assert "does not cover the key of TOGETHER_API_KEY" in message
        assert KEY not in message
        # A key of the stack's own is the stack's to show.
        own = resolve({**config, "apiKey": KEY})
        assert own.base_url == f"http://{host}"


class TestWhereAKeyMayGo:
    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.example",
            "https://api.together.ai.evil.example",
            "https://evil.example/api.together.ai",
            "https://10.0.0.1",
        ],
    )
    def test_not_from_the_environment_to_a_host_of_the_stack(self, url: str) -> None:
        """A stack's configuration file cannot collect the keys of those who run it."""
        message = refusal({"baseUrl": url}, TOGETHER_API_KEY=KEY)

        assert "TOGETHER_API_KEY" in message
        assert "name the address in TOGETHER_BASE_URL" in message

    @pytest.mark.parametrize(
        "url",
        [
            "https://api.together.xyz/v1",
            "https://api.together.ai",
            "http://localhost:9",
            "http://127.0.0.1:9",
            "http://[::1]:9",
        ],
    )
    def test_from_the_environment_to_the_service_and_loopback(self, url: str) -> None:
        """The service's own hosts and this machine may stand in the stack."""
        assert resolve({"baseUrl": url}, TOGETHER_API_KEY=KEY).url_source == "config"

    def test_a_key_of_the_stack_goes_where_the_stack_says(self) -> None:
        """Who writes both key and address into the stack gets what was written."""
        got = resolve({"apiKey": KEY, "baseUrl": "https://gw.example"})

        assert got.base_url == "https://gw.example"

    @pytest.mark.parametrize(
        ("host", "answer"),
        [
            ("localhost", True),
            ("LOCALHOST", True),
            ("127.8.8.8", True),
            ("::1", True),
            ("localhost.evil.example", False),
            ("127.0.0.1.evil.example", False),
            ("0.0.0.0", False),
            ("10.0.0.1", False),
        ],
    )
    def test_loopback_is_told_by_the_name(self, host: str, answer: bool) -> None:
        """Only names that cannot be made to mean another machine are loopback."""
        assert answer == is_loopback(host)


class TestOptions:
    @pytest.mark.parametrize(
        ("raw", "number"),
        [(None, 64), ("", 64), ("1", 1), ("256", 256), ("8.0", 8), (16.0, 16)],
    )
    def test_parallel_counts_requests(self, raw: Any, number: int) -> None:
        """`jig:parallel` is a whole number, also when it comes as a float."""
        assert number == resolve({"parallel": raw}, TOGETHER_API_KEY=KEY).parallel

    @pytest.mark.parametrize("raw", ["0", "257", "-1", "2.5", "many", "nan", "inf"])
    def test_parallel_has_bounds(self, raw: str) -> None:
        """Case V15: 1 to 256, and nothing else."""
        assert "1 to 256" in refusal({"parallel": raw}, TOGETHER_API_KEY=KEY)

    def test_a_switch_is_true_or_false(self) -> None:
        """A typo in a switch is not taken for either."""
        message = refusal({"allowInsecureHttp": "yes"}, TOGETHER_API_KEY=KEY)

        assert "must be true or false" in message

    def test_all_faults_are_told_at_once(self) -> None:
        """One run is enough to learn everything that has to be corrected."""
        config = {"parallel": "0", "baseUrl": "http://a.example"}

        found = config_faults(config.get, {})

        expected = ["jig:parallel", "TOGETHER_API_KEY", "jig:baseUrl"]
        assert expected == [fault.setting for fault in found]
        message = refusal(config)
        assert all(fault.sentence in message for fault in found)

    def test_no_faults_where_there_are_none(self) -> None:
        """A usable configuration has no faults."""
        assert config_faults({"apiKey": KEY}.get, {}) == []


def test_reading_the_configuration_loads_no_http_library() -> None:
    """A program and a check without network must stay cheap."""
    code = (
        "import sys, pulumi_jig.config\n"
        "print([m for m in ('httpx', 'httpcore', 'pydantic', 'pulumi') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
