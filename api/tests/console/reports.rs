//! Reports: what is counted, as charts, tables and CSV.

use docket::operations::Administrator;
use docket::operations::survey::SetSurvey;
use docket_projections::read::surveys;

use crate::support::{Browser, CUSTOMER, House, new_id, wait};

impl House {
    /// A customer asks at noon and is answered by the agent after ten minutes; the owner closes the case after two hours.
    async fn has_a_day(&self) {
        self.receives("Hello").await;
        let mut agent = self.signed_in("agent").await;
        let mut owner = self.signed_in("owner").await;
        wait(600);
        let page = agent.get("/cases/101").await;
        let fields = [("text", "Good morning"), ("as", "reply")];
        agent.send(&page, "/cases/101/write", &fields).await.is(200);
        wait(6_600);
        let page = owner.get("/cases/101").await;
        let fields = [("value", "Resolved")];
        owner
            .send(&page, "/cases/101/status", &fields)
            .await
            .is(200);
    }

    async fn renames_survey(&self, name: &str) {
        let survey = surveys::all(&self.app.pool).await.unwrap().remove(0);
        let survey_id = survey.survey_id;
        let mut settings = survey.settings;
        settings.name = name.to_owned();
        let change = SetSurvey {
            survey_id,
            settings,
            create: false,
            seen: None,
            by: Administrator::System,
        };
        self.app.ledger.submit(change).await.unwrap();
    }
}

#[tokio::test]
async fn reports_show_days_and_times() {
    let house = House::start().await;
    house.has_a_day().await;
    let mut auditor = house.signed_in("auditor").await;
    let page = auditor.get("/reports").await;
    page.is(200)
        .shows("value=\"2026-01-31\"")
        .shows("value=\"2026-03-01\"")
        .shows("<tr><th scope=\"row\">2026-03-01</th><td class=\"number\">1</td><td class=\"number\">1</td><td class=\"number\">1</td><td class=\"number\">1</td></tr>")
        .shows("<tr><th scope=\"row\">2026-02-28</th><td class=\"number\">0</td>")
        .shows("<th scope=\"row\">agent@example.com</th><td class=\"number\">1</td><td class=\"number\">10 min</td><td class=\"number\">10 min</td>")
        .shows("<th scope=\"row\">owner@example.com</th><td class=\"number\">1</td><td class=\"number\">2 h</td><td class=\"number\">2 h</td>")
        .shows("No open case of these days waits")
        .lacks(" style=");
    // Each chart says what it is to those who do not see it.
    assert_eq!(
        page.text.matches("role=\"img\" aria-labelledby=").count(),
        4
    );
    assert_eq!(page.text.matches("<desc ").count(), 4);
    page.shows("From 2026-01-31 to 2026-03-01: 1 received, at most 1 on 2026-03-01; 1 sent");

    let page = auditor.get("/reports?from=2026-02-01&to=2026-02-28").await;
    page.is(200).shows("No case in these days.");
    assert_eq!(
        page.text.matches("<tr><th scope=\"row\">2026-02").count(),
        28
    );
    let other = format!("/reports?survey={}", new_id());
    auditor.get(&other).await.is(200).shows("No case in these");
    for odd in [
        "/reports?from=x&to=2026-13-40&survey=x",
        "/reports?from=0000-01-01&to=9999-12-31",
        "/reports?from=-262143-01-01",
        // Before the first time that the database knows.
        "/reports?to=-262143-12-31",
        "/reports?from=-4800-01-01&to=-4800-01-02",
    ] {
        auditor.get(odd).await.is(200);
    }
    house.close().await;
}

#[tokio::test]
async fn tables_are_downloaded_as_csv_in_which_no_cell_is_a_formula() {
    let house = House::start().await;
    house.has_a_day().await;
    house.renames_survey("=1+1, \"Support\"").await;
    let mut owner = house.signed_in("owner").await;
    let csv = owner.get("/reports/responses.csv").await;
    csv.is(200);
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(
        csv.headers["content-disposition"],
        "attachment; filename=\"docket-responses-2026-01-31-2026-03-01.csv\""
    );
    assert_eq!(
        csv.text,
        "\u{feff}kind,name,Cases,median (seconds),90th percentile (seconds)\r\n\
         all,All cases,1,600,600\r\n\
         survey,\"'=1+1, \"\"Support\"\"\",1,600,600\r\n\
         person,agent@example.com,1,600,600\r\n"
    );
    let csv = owner.get("/reports/closings.csv").await;
    assert!(
        csv.text
            .contains("person,owner@example.com,1,7200,7200\r\n")
    );
    let page = owner.get("/reports?from=2026-02-28&to=2026-03-01").await;
    let link = page.link("/reports/days.csv");
    let csv = owner.get(&link).await;
    assert_eq!(
        csv.text,
        "\u{feff}day (UTC),Received,Sent,Begun,Closed\r\n2026-02-28,0,0,0,0\r\n2026-03-01,1,1,1,1\r\n"
    );
    for nowhere in ["/reports/days", "/reports/secrets.csv"] {
        owner.get(nowhere).await.is(404);
    }
    // No text of a message, and no number, is in any of them.
    for table in ["days", "responses", "closings"] {
        let csv = owner.get(&format!("/reports/{table}.csv")).await;
        csv.lacks("Good morning").lacks(CUSTOMER);
    }
    house.close().await;
}

#[tokio::test]
async fn what_waits_for_an_answer_is_said() {
    let house = House::start().await;
    house.receives("Hello").await;
    house.receives("#0 Something else").await;
    let mut owner = house.signed_in("owner").await;
    owner
        .get("/reports")
        .await
        .shows("2 open cases of these days wait for their first answer.");
    let page = owner.get("/cases/101").await;
    let (to, body) = Browser::filled(&page, "/cases/101/status", &[("value", "Resolved")]);
    owner.post(&to, &body).await.is(200);
    // A case that was closed without a word waits for nothing.
    owner
        .get("/reports")
        .await
        .shows("1 open case of these days waits for its first answer.");
    house.close().await;
}
