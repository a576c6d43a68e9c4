// The CometChat JavaScript SDK, steered line by line.
import { openPage } from "./browser.mjs";
import { print, require, serve } from "./lines.mjs";

const [sandbox] = process.argv.slice(2);
const page = openPage(require.resolve("@cometchat/chat-sdk-javascript"), sandbox, {
  onRequest: (request) => print({ event: "request", ...request }),
  onSocket: (address) => print({ event: "socket", address }),
  onFrame: ({ type, action, body }) => print({ event: "frame", type, action, code: body?.code }),
});
const { CometChat } = page;
const paging = {};

const show = (message) => ({
  id: message.getId(),
  category: message.getCategory(),
  type: message.getType(),
  sender: message.getSender?.()?.getUid(),
  receiver: message.getReceiverId(),
  text: message.getText?.() ?? null,
  customData: message.getCustomData?.() ?? null,
  metadata: message.getMetadata?.() ?? null,
  muid: message.getMuid?.() ?? null,
  sentAt: message.getSentAt(),
  editedAt: message.getEditedAt?.() ?? null,
  deletedAt: message.getDeletedAt?.() ?? null,
  parentId: message.getParentMessageId?.() ?? null,
  reactions: (message.getReactions?.() ?? []).map((row) => [row.getReaction(), row.getCount(), row.getReactedByMe()]),
});
const group = (g) => ({ guid: g.getGuid(), name: g.getName(), hasJoined: g.getHasJoined(), type: g.getType() });
const user = (u) => u && { uid: u.getUid(), name: u.getName(), status: u.getStatus() };
const hears = (name, read = show) => [`on${name}`, (what) => print({ event: name, value: read(what) })];
const receipt = (r) => ({ messageId: r.getMessageId(), sender: r.getSender().getUid() });
const joinedOrLeft = (name) => [`on${name}`, (_action, user) => print({ event: name, value: user.getUid() })];

function listen() {
  CometChat.addMessageListener(
    "all",
    Object.fromEntries([
      hears("TextMessageReceived"),
      hears("CustomMessageReceived"),
      hears("MessageEdited"),
      hears("MessageDeleted"),
      hears("MessagesDelivered", receipt),
      hears("MessagesRead", receipt),
      hears("TypingStarted", (typing) => typing.getSender().getUid()),
      hears("MessageReactionAdded", (event) => event.getReaction().getReaction()),
      hears("MessageReactionRemoved", (event) => event.getReaction().getReaction()),
    ]),
  );
  CometChat.addGroupListener(
    "all",
    Object.fromEntries([joinedOrLeft("GroupMemberJoined"), joinedOrLeft("GroupMemberLeft")]),
  );
  CometChat.addConnectionListener("all", {
    onConnected: () => print({ event: "Connected" }),
    onDisconnected: () => print({ event: "Disconnected" }),
  });
}

function messages({ guid, uid, perPage = 30, from }) {
  const request = new CometChat.MessagesRequestBuilder().setLimit(perPage);
  if (guid) request.setGUID(guid);
  if (uid) request.setUID(uid);
  if (from) request.setMessageId(from);
  return request.build();
}

serve({
  init({ appId, host }) {
    const settings = new CometChat.AppSettingsBuilder().setRegion("us").subscribePresenceForAllUsers();
    if (host) settings.overrideClientHost(host).overrideAdminHost(host);
    return CometChat.init(appId, settings.build());
  },
  async login({ token }) {
    listen();
    return user(await CometChat.login(token));
  },
  loggedIn: async () => user(await CometChat.getLoggedinUser()),
  status: () => CometChat.getConnectionStatus(),
  group: async ({ guid }) => group(await CometChat.getGroup(guid)),
  join: async ({ guid }) => group(await CometChat.joinGroup(guid, "public", "")),
  leave: ({ guid }) => CometChat.leaveGroup(guid),
  async members({ guid }) {
    const request = new CometChat.GroupMembersRequestBuilder(guid).setLimit(30).build();
    return (await request.fetchNext()).map((member) => member.getUid());
  },
  async send({ to, kind = "group", text, metadata, muid, parentId }) {
    const message = new CometChat.TextMessage(to, text, kind);
    if (metadata) message.setMetadata(metadata);
    if (muid) message.setMuid(muid);
    if (parentId) message.setParentMessageId(parentId);
    return show(await CometChat.sendMessage(message));
  },
  async custom({ to, type, data }) {
    return show(await CometChat.sendCustomMessage(new CometChat.CustomMessage(to, "group", type, data)));
  },
  async edit({ id, to, text }) {
    const message = new CometChat.TextMessage(to, text, "group");
    message.setId(id);
    return show(await CometChat.editMessage(message));
  },
  delete: async ({ id }) => show(await CometChat.deleteMessage(id)),
  react: async ({ id, emoji }) => show(await CometChat.addReaction(id, emoji)),
  unreact: async ({ id, emoji }) => show(await CometChat.removeReaction(id, emoji)),
  details: async ({ id }) => show(await CometChat.getMessageDetails(id)),
  read: async ({ id }) => CometChat.markAsRead(await CometChat.getMessageDetails(id)),
  typing: ({ guid }) => CometChat.startTyping(new CometChat.TypingIndicator(guid, "group")),
  unread: () => CometChat.getUnreadMessageCount(),
  // A request object keeps its place: asked again, it goes on where it was.
  open: (given) => void (paging[given.as] = messages(given)),
  previous: async ({ as }) => (await paging[as].fetchPrevious()).map(show),
  next: async ({ as }) => (await paging[as].fetchNext()).map(show),
  logout: () => CometChat.logout().then(() => true),
});
