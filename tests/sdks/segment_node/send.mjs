// Sends with Segment's Node SDK, and prints the errors that it tells of.
import { Analytics } from "@segment/analytics-node";

const { host, path, key } = JSON.parse(process.argv[2]);
const analytics = new Analytics({ writeKey: key, host, path, maxRetries: 0 });
const errors = [];
analytics.on("error", (error) => errors.push(error.code));

const userId = "user-1";
analytics.identify({ userId, traits: { plan: "gold" } });
analytics.track({ userId, event: "Order Placed", properties: { total: 12.5, note: "Grüße 🚀" } });
analytics.page({ userId, name: "Home" });
analytics.group({ userId, groupId: "acme", traits: { seats: 3 } });

await analytics.closeAndFlush({ timeout: 10_000 });
console.log(JSON.stringify(errors));
