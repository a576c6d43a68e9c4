// The Allure 3 report, built by `make report`. A plain object: nothing has to be installed beside it.
import { existsSync, readFileSync } from "node:fs";

const isKind = (kind) => ({ labels }) => labels.some(({ name, value }) => name === "hangfm" && value === kind);

// The verdict of the checks, where some were made: READY, NOT READY, CANNOT TELL or SANDBOX ONLY.
const title = process.env.HANGFM_REPORT_TITLE ?? "hangbot: no check was made";

// A graph over runs says nothing before there are two, and one of numbers nothing where none was measured.
// Those of what changed and of stability are empty as long as nothing fails: Allure's filters tell the same.
const historyPath = "out/history.jsonl";
const hasHistory = existsSync(historyPath) && readFileSync(historyPath, "utf8").trim() !== "";
const measured = Boolean(process.env.HANGFM_REPORT_MEASURED);

export default {
  name: title,
  output: "out/report",
  historyPath,
  historyLimit: 30,
  hideLabels: ["hangfm", "host", "thread", "framework", "language", "package", "parentSuite", "suite", "subSuite", "layer"],
  // When a run is good enough to deploy; a run in which nothing was collected is not.
  qualityGate: {
    rules: [
      { id: "preflight", maxFailures: 0, filter: isKind("preflight") },
      { id: "preflight-ran", minTestsCount: 15, filter: isKind("preflight") },
      { id: "stages", maxFailures: 0, filter: isKind("stage") },
      { id: "stages-ran", minTestsCount: 40, filter: isKind("stage") },
    ],
  },
  environments: {
    preflight: { name: "Preflight", matcher: isKind("preflight") },
    stages: { name: "Stages", matcher: isKind("stage") },
    tests: { name: "Tests", matcher: isKind("test") },
  },
  categories: [
    { name: "Not ready: a check was rejected", matchers: { message: /\[FAIL\]/ }, groupByMessage: false },
    {
      name: "Cannot tell: no answer from Hang.fm or the network",
      matchers: { message: /\[\?\?\?\?\]|Unreachable|ConnectError|TimeoutError/ },
      groupByMessage: false,
    },
    {
      name: "A message was lost, doubled or came too late",
      matchers: { message: /was to be (delivered|failed|uncertain)|has not ended within|did not say|was to say nothing/ },
    },
    {
      name: "Something was left behind, or wanted to leave the machine",
      matchers: {
        message: /the test left \d+|only loopback is allowed|no route of the sandbox|expected to hit and never did/,
      },
    },
    { name: "Wrong in any other way", matchers: { statuses: ["failed", "broken"] } },
  ],
  performance: {
    groups: { delivery: { title: "Delivery" } },
    metrics: {
      "hangfm.ack.p50": { title: "Acknowledgement, median", unit: "ms", better: "lower", group: "delivery" },
      "hangfm.ack.p95": { title: "Acknowledgement, 95 of 100", unit: "ms", better: "lower", group: "delivery" },
      "hangfm.ack.max": { title: "Acknowledgement, slowest", unit: "ms", better: "lower", group: "delivery" },
      "hangfm.first_try": { title: "Delivered on the first try", unit: "%", better: "higher", group: "delivery" },
      "hangfm.delivered": { title: "Messages delivered", unit: "messages", better: "higher", group: "delivery" },
    },
  },
  plugins: {
    awesome: {
      options: {
        reportName: title,
        singleFile: true,
        reportLanguage: "en",
        groupBy: ["epic", "feature", "story"],
        stepTreeExpansion: "expanded",
        sections: ["charts", "timeline", ...(measured ? ["metrics"] : [])],
        charts: [
          { type: "currentStatus", title },
          { type: "testResultSeverities", title: "By severity: a blocker means do not deploy" },
          { type: "successRateDistribution", title: "What passes, by feature" },
          { type: "durations", title: "How long tests take", groupBy: "layer" },
          ...(hasHistory
            ? [
                { type: "statusDynamics", title: "Over the last runs" },
                { type: "durationDynamics", title: "How long a run takes" },
              ]
            : []),
        ],
      },
    },
  },
};
