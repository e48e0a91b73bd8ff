"""Rules of requests: accounts, keys, paths, bodies, names and bounds. Nothing runs."""

from __future__ import annotations

import pytest
from service import DEPLOYMENTS, SECRETS, VOLUMES, Service, param

rule = pytest.mark.rule


@rule("ACCOUNT-1")
def test_a_key_belongs_to_one_account(service: Service, other: Service) -> None:
    """Each key tells its own account, at every time of asking."""
    ours = [service.ok("GET", "/v1/whoami") for _ in range(2)]
    assert ours[0] == ours[1]
    assert ours[0]["project"]["id"] != other.ok("GET", "/v1/whoami")["project"]["id"]


@rule("ACCOUNT-2")
def test_what_belongs_to_another_account_does_not_exist(
    service: Service, other: Service, idle: dict
) -> None:
    """It is 404 by name and by id, and in no list."""
    for identifier in (idle["name"], idle["id"]):
        assert other.send("GET", f"{DEPLOYMENTS}/{identifier}").status_code == 404
    assert idle["name"] not in other.left(DEPLOYMENTS)


@rule("AUTH-1")
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer invalid-key", "Basic x"]
)
def test_a_missing_or_refused_key_is_401(service: Service, header: str | None) -> None:
    """`Authorization: Bearer KEY` is required."""
    response = service.send_bare("GET", DEPLOYMENTS, header)
    assert response.status_code == 401, response.text[:200]


@rule("BASE-1")
@pytest.mark.parametrize("path", ["/deployments", "/v1/deployments", "/v1/whoami"])
def test_paths_are_served_with_and_without_v1(service: Service, path: str) -> None:
    """Base URLs are written both ways."""
    service.ok("GET", path)


@rule("BASE-1")
def test_whoami_is_at_v3_as_well(service: Service) -> None:
    """The vendor's CLI asks there."""
    assert service.ok("GET", "/v3/whoami") == service.ok("GET", "/v1/whoami")


@rule("ROUTE-1")
@pytest.mark.parametrize("path", [DEPLOYMENTS, SECRETS, VOLUMES])
def test_each_kind_is_listed_at_its_path(service: Service, path: str) -> None:
    """Secrets and volumes are below /deployments."""
    assert service.ok("GET", path)["object"] == "list"


@rule("ERROR-1")
def test_an_error_has_message_type_param_and_code(service: Service) -> None:
    """Errors have one shape."""
    response = service.refused("POST", DEPLOYMENTS, service.body(port=0))
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


@rule("ERROR-1")
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [DEPLOYMENTS, SECRETS, VOLUMES])
def test_what_is_not_there_is_404(service: Service, method: str, path: str) -> None:
    """404 is what tells the vendor's client to create."""
    body = {} if method == "PATCH" else None
    response = service.send(method, f"{path}/{service.name()}", body)
    assert response.status_code == 404
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


@rule("BODY-1")
def test_null_means_the_same_as_leaving_the_key_out(
    service: Service, idle: dict
) -> None:
    """A PATCH of nulls changes nothing."""
    before = service.serving(idle["name"])
    nulls = dict.fromkeys(("description", "command", "health_check_path", "cpu"))
    service.patch(idle["name"], **nulls)
    assert service.get(idle["name"]) == before


@rule("BODY-2")
def test_unknown_keys_are_ignored(service: Service, idle: dict) -> None:
    """The vendor's client sends keys that no document has."""
    changed = service.patch(idle["name"], experimental={"a": 1}, project_id="x")
    assert "experimental" not in changed


@rule("BODY-3")
def test_a_body_is_read_as_json_whatever_its_content_type(
    service: Service, idle: dict
) -> None:
    """`text/plain` is read all the same."""
    path = f"{DEPLOYMENTS}/{idle['name']}"
    response = service.send(
        "PATCH",
        path,
        content=b'{"description": "read as json"}',
        headers={"Content-Type": "text/plain"},
    )
    assert response.status_code == 200, response.text[:200]
    assert service.get(idle["name"])["description"].startswith("read as json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param(field, value, marks=rule(name), id=f"{field}={value!r}")
        for name, field, value in [
            ("BOUNDS-1", "cpu", 0.09),
            ("BOUNDS-1", "memory", 1000.5),
            ("BOUNDS-1", "storage", 401),
            ("BOUNDS-1", "port", 0),
            ("BOUNDS-1", "port", 65536),
            ("BOUNDS-2", "memory", 0),
            ("BOUNDS-2", "storage", 0),
            ("BOUNDS-2", "gpu_count", -1),
            ("BOUNDS-2", "max_replicas", 101),
            ("BOUNDS-2", "health_check_path", "health"),
            ("GPU-1", "gpu_type", "no-such-gpu"),
            ("GPU-2", "gpu_count", 1),
            ("NAME-1", "name", "jig"),
            ("NAME-1", "name", "Jig-Conf-Upper"),
            ("NAME-1", "name", "jig_conf_underscore"),
            ("NAME-1", "name", "-jig-conf-hyphen"),
            ("NAME-1", "name", "jig-conf-" + "a" * 55),
            ("NAME-2", "name", "secrets"),
            ("NAME-2", "name", "storage"),
            ("NUM-1", "port", 8000.0),
            ("NUM-1", "min_replicas", 1.0),
        ]
    ],
)
def test_a_field_out_of_range_is_refused_by_name(
    service: Service, field: str, value: object
) -> None:
    """The refusal names the field, and nothing is made."""
    response = service.refused("POST", DEPLOYMENTS, service.body(**{field: value}))
    assert (response.status_code, param(response)) == (400, field)


@rule("BOUNDS-1")
def test_a_floor_above_the_ceiling_is_refused(service: Service) -> None:
    """`min_replicas` may not be above `max_replicas`."""
    body = service.body(min_replicas=2, max_replicas=1)
    assert service.refused("POST", DEPLOYMENTS, body).status_code == 400


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param([{"name": "1A", "value": ""}], marks=rule("ENV-1"), id="name"),
        pytest.param([{"name": "A"}], marks=rule("ENV-1"), id="neither"),
        pytest.param(
            [{"name": "A", "value": "", "value_from_secret": "s"}],
            marks=rule("ENV-1"),
            id="both",
        ),
        pytest.param(
            [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
            marks=rule("BOUNDS-2"),
            id="twice",
        ),
        pytest.param(
            [{"name": "A", "value_from_secret": "jig-conf-no-such-secret"}],
            marks=rule("ENV-2"),
            id="no such secret",
        ),
    ],
)
def test_a_faulty_variable_is_refused(service: Service, variables: list) -> None:
    """One source each, a C identifier for a name, once in the list, a secret that exists."""
    body = service.body(environment_variables=variables)
    assert service.refused("POST", DEPLOYMENTS, body).status_code == 400


@rule("MODEL-1")
@pytest.mark.parametrize("beside", ["model", "volume"])
def test_one_model_mount_and_no_volume_beside_it(service: Service, beside: str) -> None:
    """There is one preload, so it is one or the other."""
    mounts = [{"model_id": "ml_abc", "mount_path": "/m"}]
    body = service.body(model_mounts=mounts)
    if beside == "model":
        body["model_mounts"] = [*mounts, {"model_id": "ml_def", "mount_path": "/n"}]
    else:
        body["volumes"] = [{"name": "jig-conf-v", "mount_path": "/v"}]
    response = service.refused("POST", DEPLOYMENTS, body)
    assert (response.status_code, param(response)) == (400, "model_mounts")


@rule("VOLUME-7")
def test_one_volume_for_each_deployment(service: Service) -> None:
    """Two mounts are refused."""
    volumes = [
        {"name": "jig-conf-v", "mount_path": "/v"},
        {"name": "jig-conf-w", "mount_path": "/w"},
    ]
    response = service.refused("POST", DEPLOYMENTS, service.body(volumes=volumes))
    assert param(response) == "volumes"


@rule("SCALE-1")
@pytest.mark.parametrize(
    "autoscaling",
    [
        {"target": 1},
        {"metric": "Whim"},
        {"metric": "CustomMetric"},
        {"metric": "HTTPTotalRequests", "target": 0},
        {"metric": "HTTPTotalRequests", "time_interval_minutes": 0},
    ],
    ids=str,
)
def test_autoscaling_has_one_of_three_shapes(
    service: Service, autoscaling: dict
) -> None:
    """The metric tells which; another shape is refused."""
    body = service.body(autoscaling=autoscaling)
    assert service.refused("POST", DEPLOYMENTS, body).status_code == 400
