from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from neuronscope.app.security import Guard, allowed_folder
from neuronscope.errors import Refused

OWN = {"Host": "127.0.0.1:8050", "Origin": "http://127.0.0.1:8050"}


def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Own", "kept")])
    return [b"page ", environ["QUERY_STRING"].encode()]


def ask(guard, path="/", *, method="GET", host="127.0.0.1:8050", **headers):
    path, _, query = path.partition("?")
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    environ = EnvironBuilder(path, method=method, query_string=query, headers={"Host": host, **names}).get_environ()
    environ["SERVER_PORT"] = "8050"
    body, status, given = run_wsgi_app(guard, environ)
    return int(status[:3]), b"".join(body).decode(), given


@pytest.mark.parametrize("host", ["127.0.0.1:8050", "localhost", "LOCALHOST:8050", "[::1]:8050"])
def test_a_server_answers_to_the_names_of_its_own_machine(host):
    assert ask(Guard(page), host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:8050", "localhost@evil.example", "", "[::1", "10.0.0.7", "127.0.0.1:x"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_name_pointed_at_this_machine_is_refused(host, method):
    assert ask(Guard(page), host=host, method=method)[0] == 403


def test_a_server_open_to_the_network_answers_to_its_addresses_but_not_to_unknown_names():
    guard = Guard(page, hosts={"lab"}, addresses=True, token="secret")
    cookie = cookie_of(ask(guard, "/?token=secret", host="lab")[2])
    answers = [
        ask(guard, host=host, Cookie=cookie)[0] for host in ("10.0.0.7:8050", "[fe80::1]:8050", "lab", "evil.example")
    ]
    assert answers == [200, 200, 200, 403]


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9999", "null", "http://[", ""])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_request_from_another_sites_page_is_refused(origin, method):
    status, body, _ = ask(Guard(page), method=method, Origin=origin)
    assert (status, body) == (403, "This NeuronScope only answers its own pages.\n")


def test_requests_that_hide_their_origin_are_told_apart_by_what_the_browser_says():
    guard = Guard(page)
    assert ask(guard, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0] == 403
    assert ask(guard, Sec_Fetch_Site="same-site", Sec_Fetch_Mode="no-cors")[0] == 403
    assert ask(guard, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200
    assert ask(guard, Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="cors")[0] == 200


def test_own_pages_and_scripts_without_an_origin_are_answered_behind_a_proxy_too():
    assert ask(Guard(page), method="POST", Origin=OWN["Origin"])[0] == 200
    assert (
        ask(Guard(page, hosts={"hub.example"}), host="hub.example", method="POST", Origin="https://hub.example")[0]
        == 200
    )


def test_bodies_beyond_the_limit_or_of_unknown_length_are_refused():
    def post(**environ):
        built = EnvironBuilder("/", method="POST", headers=OWN).get_environ() | environ
        return int(run_wsgi_app(Guard(page, most_bytes=1000), built)[1][:3])

    assert post(CONTENT_LENGTH="1000") == 200
    assert post(CONTENT_LENGTH="1001") == 413
    assert post(CONTENT_LENGTH="9" * 5000) == 413
    assert post(CONTENT_LENGTH="-1") == 400
    assert post(CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked") == 411


def test_every_answer_carries_the_headers_and_keeps_the_pages_own():
    for status in (200, 403):
        code, _, headers = ask(Guard(page), host="localhost" if status == 200 else "evil.example")
        assert code == status
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-site"
        assert "connect-src 'self'" in headers["Content-Security-Policy"]
    assert ask(Guard(page))[2]["X-Own"] == "kept"


def test_only_the_pages_own_inline_scripts_run():
    policy = ask(Guard(page, inline=["alert(1)"]))[2]["Content-Security-Policy"]
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert scripts == "script-src 'self' 'unsafe-eval' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"


def test_any_host_name_will_do_only_where_a_secret_path_protects_the_server():
    guard = Guard(page, hosts=None, path="secret")
    assert [ask(guard, path, host="hub.example")[0] for path in ("/secret/", "/")] == [200, 403]
    assert ask(guard, "/secret/", host="hub.example", Origin="https://evil.example")[0] == 403
    with pytest.raises(ValueError, match="secret path"):
        Guard(page, hosts=None, token="secret")


def test_only_a_page_at_a_secret_path_may_be_framed_by_others():
    assert "frame-ancestors 'self'" in ask(Guard(page, token="secret"))[2]["Content-Security-Policy"]
    assert "frame-ancestors" not in ask(Guard(page, path="secret"), "/secret/")[2]["Content-Security-Policy"]


def test_without_the_token_the_answer_says_what_to_do():
    guard = Guard(page, token="secret")
    for path in ("/", "/?token=wrong", "/?token=", "/_dash-layout", "/healthy"):
        status, body, _ = ask(guard, path)
        assert status == 403
        assert "open the full address that was printed" in body
    assert ask(guard, "/health")[0] == 200


def test_the_token_becomes_a_cookie_and_leaves_the_address_while_the_rest_of_it_stays():
    status, _, headers = ask(Guard(page, token="secret"), "/?text=a%20b&token=secret&layer=3&token=7")
    assert (status, headers["Location"]) == (303, "./?text=a%20b&layer=3&token=7")
    cookie = SimpleCookie(headers["Set-Cookie"])["neuronscope-8050"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert "secret" not in headers["Set-Cookie"]


def test_the_way_from_token_to_cookie_to_page_works_for_any_token_and_only_on_its_own_server():
    for token in ("secret", "with space;=&+%", "größe"):
        guard = Guard(page, token=token)
        client = Client(guard)
        assert client.get("/?token=wrong", headers={"Host": "localhost"}).status_code == 403
        first = client.get("/a/b", query_string={"token": token, "layer": "3"}, headers={"Host": "localhost"})
        assert first.headers["Location"] == "./b?layer=3"
        name = cookie_of(first.headers)
        assert ask_on(guard, "80", name) == 200
        assert ask_on(guard, "8051", name) == 403
        assert ask_on(Guard(page, token="other"), "80", name) == 403


def ask_on(guard, port, cookie):
    environ = EnvironBuilder("/", headers={"Host": "localhost", "Cookie": f"a=b; {cookie}; c"}).get_environ()
    return int(run_wsgi_app(guard, environ | {"SERVER_PORT": port})[1][:3])


def test_with_the_cookie_a_parameter_of_the_page_called_token_is_left_alone():
    guard = Guard(page, token="secret")
    cookie = cookie_of(ask(guard, "/?token=secret")[2])
    assert ask(guard, "/?token=7&layer=3", Cookie=cookie)[:2] == (200, "page token=7&layer=3")


def test_scripts_may_send_the_token_as_a_header():
    guard = Guard(page, token="secret")
    assert ask(guard, "/_dash-layout", Authorization="token secret")[0] == 200
    assert ask(guard, "/_dash-layout", Authorization="Bearer secret")[0] == 200
    assert ask(guard, "/_dash-layout", Authorization="token wrong")[0] == 403
    assert ask(guard, "/_dash-layout", Authorization="Basic secret")[0] == 403


def test_a_link_followed_from_another_site_lets_our_own_page_ask_again_because_the_cookie_was_held_back():
    guard = Guard(page, token="secret")
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    status, body, headers = ask(guard, "/?text=%22%3Cb%3E&layer=3", **link)
    assert status == 200
    assert 'content="0;url=./?text=%22%3Cb%3E&amp;layer=3"' in body
    assert "page" not in body.replace("NeuronScope", "")
    assert "Set-Cookie" not in headers
    assert "Set-Cookie" in ask(guard, "/?token=secret", **link)[2]
    assert ask(guard, "/?layer=3", Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="navigate")[0] == 403
    assert ask(guard, "/", method="POST", **link)[0] == 403


def test_no_address_can_write_headers_or_html_of_its_own():
    environ = EnvironBuilder("/", headers={"Host": "localhost"}).get_environ()
    environ |= {"PATH_INFO": '/a"><b>\r\nX: y', "QUERY_STRING": 'token=secret&a="><b>\r\nX: y'}
    for site in ("none", "cross-site"):
        body, _, headers = run_wsgi_app(Guard(page, token="secret"), environ | {"HTTP_SEC_FETCH_SITE": site})
        assert "<b>" not in b"".join(body).decode()
        assert "\n" not in headers.get("Location", "")


def test_a_secret_path_is_the_only_way_in():
    guard = Guard(page, path="secret")
    answers = [
        ask(guard, path)[0] for path in ("/secret/", "/secret/_dash-layout", "/", "/secre/", "/secret2/", "/x/secret/")
    ]
    assert answers == [200, 200, 403, 403, 403, 403]


@pytest.mark.parametrize("secret", [{"token": ""}, {"path": ""}])
def test_an_empty_secret_is_a_mistake_and_not_an_open_door(secret):
    with pytest.raises(ValueError, match="no secret"):
        Guard(page, **secret)


def test_a_folder_below_a_root_is_allowed_by_any_of_its_names(tmp_path, monkeypatch):
    model = tmp_path / "models" / "mine"
    model.mkdir(parents=True)
    (tmp_path / "models" / "link").symlink_to(model)
    monkeypatch.chdir(tmp_path / "models")
    for name in (model, str(model), "mine", "../models/mine", tmp_path / "models" / "link"):
        assert allowed_folder(name, [tmp_path / "other", tmp_path / "models"]) == model.resolve()


def test_everything_else_is_refused_in_the_same_words_whether_or_not_it_exists(tmp_path):
    root, outside = tmp_path / "models", tmp_path / "models-private"
    root.mkdir()
    outside.mkdir()
    (root / "escape").symlink_to(outside)
    escapes = (outside, root / "escape", root / ".." / "models-private", tmp_path / "nowhere", "/", "~nobody/x", "a\0b")
    for path in escapes:
        with pytest.raises(Refused, match="loads them only from") as refused:
            allowed_folder(path, [root])
        assert str(refused.value).replace(repr(str(path)), "") == refusal_of(root)
    with pytest.raises(Refused, match="none by path"):
        allowed_folder(root, [])


def refusal_of(root: Path) -> str:
    with pytest.raises(Refused) as refused:
        allowed_folder("/etc", [root])
    return str(refused.value).replace(repr("/etc"), "")


def cookie_of(headers) -> str:
    return headers["Set-Cookie"].partition(";")[0]
