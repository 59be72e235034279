// Sends with Amplitude's Node SDK, and prints what the SDK says became of each event.
import * as amplitude from "@amplitude/analytics-node";

const { url, key, useBatch, shortId, others } = JSON.parse(process.argv[2]);
const user = { user_id: "user-1" };

await amplitude.init(key, {
  serverUrl: url,
  useBatch,
  flushIntervalMillis: 1000, // What comes meanwhile is one request, on a slow machine too.
  logLevel: amplitude.Types.LogLevel.None,
}).promise;

const revenue = new amplitude.Revenue()
  .setProductId("socks")
  .setPrice(3.5)
  .setQuantity(2)
  .setRevenueType("purchase");
const calls = () => [
  amplitude.track("Order Placed", { total: 12.5, note: "Grüße 🚀" }, user),
  amplitude.identify(new amplitude.Identify().set("plan", "gold"), user),
  amplitude.groupIdentify("org", "Acme", new amplitude.Identify().set("seats", 3), user),
];
const otherCalls = () => [
  amplitude.setGroup("org", ["Acme", "Beta"], user),
  amplitude.revenue(revenue, user),
];
const sent = others ? otherCalls() : calls();
if (shortId) {
  sent.splice(1, 0, amplitude.track("Too Short", {}, { user_id: "abc" }));
}

const results = await Promise.all(sent.map((call) => call.promise));
console.log(
  JSON.stringify(
    results.map(({ event, code }) => ({
      event_type: event.event_type,
      insert_id: event.insert_id,
      code,
    })),
  ),
);
