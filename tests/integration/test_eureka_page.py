# SPDX-License-Identifier: Apache-2.0
"""What a browser sees at the Eureka door: pages that parse, hold what the list holds, and let nothing hostile through."""

import json
import xml.etree.ElementTree as ET

import harness
import objects
import pytest

JSON = {"Accept": "application/json", "User-Agent": "Java-EurekaClient/v1"}
HOSTILE = "<script>alert(1)</script>\"'&amp;\x01\u202e"


def cells(row):
    return {cell.get("data-label"): "".join(cell.itertext()) for cell in row}


class Pages:
    def __init__(self, agent):
        self.agent = agent

    def get(self, path):
        answer = self.agent.http(path, port="eureka", headers={"Accept": "text/html"})
        assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script" not in policy and "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        page = ET.fromstring(answer.body)  # well-formed, or it raises
        tags = {e.tag for e in page.iter()}
        assert not tags & {"script", "style", "iframe", "object", "embed", "img"}
        assert not [a for e in page.iter() for a in e.attrib if a.startswith("on") or a == "style"]
        return page

    def facts(self, page):
        return {d.find("dt").text: "".join(d.find("dd").itertext()) for d in page.iter("div") if d.find("dt") is not None}

    def rows(self, page):
        """APP -> [{label: text}]"""
        found = {}
        for group in page.find(".//section[@id='apps']/table").iter("tbody"):
            app = group.find("tr/th/b").text
            found[app] = [cells(row) for row in group if row.find("td") is not None]
        return found

    def own(self, page):
        return [cells(row) for row in page.findall(".//section[@id='own']//tbody/tr")]


@pytest.fixture
def pages(start_agent, bookinfo):
    return Pages(start_agent("--source", f"dir:{bookinfo}", "--eureka-listen", "127.0.0.1:0"))


def register(pages, app="ORDERS", ident="me:orders:7070", **more):
    instance = {"instanceId": ident, "hostName": "me", "app": app, "ipAddr": "10.9.9.9", "vipAddress": "orders", "status": "UP",
                "port": {"$": 7070, "@enabled": "true"}, "dataCenterInfo": {"name": "MyOwn"}, **more}  # fmt: skip
    body = json.dumps({"instance": instance}).encode()
    path = "/eureka/apps/" + harness.urllib.parse.quote(app, safe="")
    return pages.agent.http(path, "POST", {"Content-Type": "application/json"}, "eureka", body).status


def test_page_has_what_the_list_has(pages):
    listed = pages.agent.http("/eureka/apps", port="eureka", headers=JSON).json()["applications"]
    page = pages.get("/")
    rows = pages.rows(page)
    assert {a["name"]: sorted(i["instanceId"] for i in a["instance"]) for a in listed["application"]} == {
        app: sorted(row["Instance"] for row in found) for app, found in rows.items()
    }
    facts = pages.facts(page)
    assert facts["Version of the list"] == listed["versions__delta"] and facts["Hash code"] == listed["apps__hashcode"]
    assert facts["Applications"] == str(len(rows)) and facts["Instances"] == str(sum(map(len, rows.values())))
    assert facts["Revision of the view"] == str(pages.agent.status()["revision"])
    assert "stale" not in "".join(page.itertext())


def test_weights_subsets_and_health_are_those_of_the_mesh(pages):
    truth = {f"{e['address']}:reviews:{e['port']}": e for e in pages.agent.endpoints("reviews")["endpoints"]}
    page = pages.get("/")
    rows = {row["Instance"]: row for row in pages.rows(page)["REVIEWS"]}
    assert rows.keys() == truth.keys()
    for ident, row in rows.items():
        assert row["Weight"] == str(truth[ident]["slots"]) and row["Health"] == truth[ident]["health"]
        assert float(row["Share"].rstrip("\xa0%")) == pytest.approx(100 * truth[ident]["share"], abs=1)
        assert truth[ident]["subset"] in row["Subsets"] and row["Status"] == "UP"
        assert row["Locality"] == truth[ident]["locality"] and row["Workload"] == truth[ident]["workload"]["name"]
    (head,) = [th for th in page.iter("th") if th.find("b") is not None and th.find("b").text == "REVIEWS"]
    text = "".join(head.itertext())
    assert "reviews.default.svc.cluster.local" in text and "endpoints usable" in text


def test_filter_narrows_the_list(pages):
    assert set(pages.rows(pages.get("/?q=view"))) == {"REVIEWS", "REVIEWS--V3"}
    page = pages.get("/?q=%22%3E%3Cb%3Enobody")
    assert pages.rows(page) == {} and "No application to show." in "".join(page.itertext())
    assert page.find(".//input").get("value") == '"><B>NOBODY'


def test_own_registrations_are_shown(pages):
    assert "Nobody has registered with this agent." in "".join(pages.get("/").itertext())
    assert register(pages) == 204
    (own,) = pages.own(pages.get("/"))
    assert own.pop("Lease ends in").endswith(" s")
    assert list(own.values()) == ["ORDERS", "me:orders:7070", "10.9.9.9:7070", "UP", "orders"]
    assert pages.agent.http("/eureka/apps/ORDERS/me:orders:7070/status?value=DOWN", "PUT", port="eureka").status == 200
    assert pages.own(pages.get("/"))[0]["Status"] == "DOWN (overridden)"
    pages.agent.http("/eureka/apps/ORDERS/me:orders:7070", "DELETE", port="eureka")
    assert "me:orders:7070, was cancelled." in "".join(pages.get("/").itertext())


def test_hostile_names_stay_text(pages):
    """A registration may say anything; so may who asks."""
    urls = {"statusPageUrl": "javascript:alert(1)", "homePageUrl": "javascript:alert(2)"}
    metadata = {"version": HOSTILE, "workload": "</td></table>"}
    assert register(pages, "X", HOSTILE, vipAddress=HOSTILE, metadata=metadata, **urls) == 204
    for path in ("/", "/lastn"):
        page = pages.get(path)
        assert HOSTILE.replace("\x01", "\ufffd") in "".join(page.itertext())
        assert not [a for a in page.iter("a") if a.get("href", "").startswith("javascript")]
    (row,) = [row for row in pages.rows(pages.get("/"))["X"] if row["Instance"].startswith("<script>")]
    assert row["Workload"] == "</td></table>"


def test_link_of_an_instance_is_its_status_page(pages):
    links = {a.text: a.get("href") for a in pages.get("/").iter("a") if ":details:" in a.text}
    assert links
    for ident, url in links.items():
        assert url == f"http://{ident.split(':')[0]}:{ident.rsplit(':', 1)[1]}/actuator/info"


def test_client_is_pointed_to_this_port(pages):
    text = "".join(pages.get("/").find(".//section[@id='point']").itertext())
    url = f"http://127.0.0.1:{pages.agent.ports['eureka']}/eureka/"
    assert f"eureka.client.service-url.defaultZone={url}" in text
    found = json.loads(text[text.index("JSON=") + 5 : text.index("}}}}") + 4])
    assert found["eureka"]["client"]["serviceUrl"]["defaultZone"] == url


def test_changes_are_shown_newest_first(pages):
    pages.agent.http("/eureka/apps", port="eureka", headers=JSON)
    register(pages)
    pages.agent.http("/eureka/apps", port="eureka", headers=JSON)
    pages.agent.http("/eureka/apps/ORDERS/me:orders:7070", "DELETE", port="eureka")
    page = pages.get("/lastn")
    rows = [[c.text for c in row] for row in page.findall(".//section[@id='changes']//tbody/tr")]
    assert [row[1:4] for row in rows] == [["gone", "ORDERS", "me:orders:7070"]]


def test_page_says_that_the_source_is_away(start_agent):
    agent = start_agent("--source", "istiod", "--xds-address", "127.0.0.1:9", "--xds-tls", "off", "--eureka-listen",
                        "127.0.0.1:0", wait="listening")  # fmt: skip
    pages = Pages(agent)
    text = "".join(pages.get("/").itertext())
    assert "There is no view of the mesh yet." in text
    register(pages)
    assert pages.own(pages.get("/"))[0]["Instance"] == "me:orders:7070"


@pytest.mark.istiod
def test_stale_view_is_called_so(start_agent, start_istiod):
    istiod = start_istiod()
    istiod.apply(objects.dump(*objects.app("reviews", {"v1": ["10.1.0.1"]})))
    agent = start_agent(*istiod.plaintext_options(), "--eureka-listen", "127.0.0.1:0")
    pages = Pages(agent)
    harness.wait_for(lambda: "REVIEWS" in pages.rows(pages.get("/")), "the service")
    istiod.stop()
    harness.wait_for(lambda: "last good view" in "".join(pages.get("/").itertext()), "staleness")
    assert pages.facts(pages.get("/"))["Revision of the view"].endswith(", stale")
    assert "REVIEWS" in pages.rows(pages.get("/"))


def test_long_lists_are_cut(start_agent, tmp_path):
    things = []
    for i, name in enumerate(("few", "many", "others")):
        things += objects.app(name, {"v1": [f"10.{i + 1}.{k // 200}.{k % 200}" for k in range(400)]}, ip=f"10.96.0.{i}")
    (tmp_path / "mesh.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": things}))
    pages = Pages(start_agent("--source", f"dir:{tmp_path}", "--eureka-listen", "127.0.0.1:0"))
    page = pages.get("/")
    assert {name: len(rows) for name, rows in pages.rows(page).items()} == {"FEW": 400, "MANY": 400, "OTHERS": 200}
    assert "".join(page.find(".//p[@class='more']").itertext()).startswith("200 more instances;")
    assert len(pages.rows(pages.get("/?q=other"))["OTHERS"]) == 400


def test_looking_does_not_count_as_asking(pages):
    lists = 'isthmus_eureka_lists_total{extent="full"}'
    pages.get("/")
    pages.get("/lastn")
    assert f"{lists} 0" in pages.agent.http("/metrics").body


def test_style_and_foreign_hosts(pages):
    style = pages.agent.http("/page.css", port="eureka")
    assert style.status == 200 and style.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "prefers-color-scheme" in style.body
    assert pages.agent.http("/", port="eureka", headers={"Host": "evil.example"}).status == 403
    assert pages.agent.http("/", "POST", port="eureka").status == 405
    assert pages.agent.http("/nowhere", port="eureka").status == 404


def test_status_is_the_references_status_info(pages):
    register(pages)
    for path in ("/eureka/status", "/eureka/v2/status"):
        status = pages.agent.http(path, port="eureka", headers=JSON).json()
        assert set(status) == {"generalStats", "applicationStats", "instanceInfo", "healthy"} and status["healthy"] is True
        assert all(isinstance(v, str) for kind in ("generalStats", "applicationStats") for v in status[kind].values())
        assert status["instanceInfo"]["app"] == "ISTHMUS" and status["instanceInfo"]["port"]["$"] == 8761
    assert pages.agent.http("/eureka/apps/ORDERS/me:orders:7070/status?value=DOWN", "PUT", port="eureka").status == 200
    for path in ("/serverinfo/statusoverrides", "/eureka/serverinfo/statusoverrides"):
        assert pages.agent.http(path, port="eureka").json() == {"me:orders:7070": "DOWN"}
