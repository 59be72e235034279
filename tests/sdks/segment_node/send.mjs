// Sends with Segment's Node SDK, and prints what became of each call, and the errors it tells of.
import { Analytics } from "@segment/analytics-node";

const { key, ...settings } = JSON.parse(process.argv[2]);
const analytics = new Analytics({ writeKey: key, ...settings });
const told = { errors: [], calls: [] };
analytics.on("error", (error) => told.errors.push(error.code));

const report = (error, context) => {
  const { type, messageId } = context.event;
  told.calls.push({ type, messageId, failed: error !== undefined });
};
const userId = "user-1";
const properties = { total: 12.5, note: "Grüße 🚀" };
analytics.identify({ userId, traits: { plan: "gold" } }, report);
analytics.track({ userId, event: "Order Placed", properties }, report);
analytics.page({ userId, name: "Home" }, report);
analytics.screen({ userId, name: "Start" }, report);
analytics.group({ userId, groupId: "acme", traits: { seats: 3 } }, report);
analytics.alias({ userId, previousId: "user-0" }, report);

await analytics.closeAndFlush({ timeout: 300_000 });
console.log(JSON.stringify(told));
