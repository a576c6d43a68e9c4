// When a run is good enough to deploy. A configuration of its own, and without a history: the gate
// would otherwise write a second entry for every run.
const isKind = (kind) => ({ labels }) => labels.some(({ name, value }) => name === "hangfm" && value === kind);

export default {
  name: "hangbot",
  qualityGate: {
    rules: [
      { id: "preflight", maxFailures: 0, filter: isKind("preflight") },
      { id: "preflight-ran", minTestsCount: 15, filter: isKind("preflight") },
      { id: "stages", successRate: 1, filter: isKind("stage") },
      { id: "stages-ran", minTestsCount: 40, filter: isKind("stage") },
    ],
  },
};
