// One person with a Matrix client of another make: matrix-js-sdk, Rust crypto, in the mode that ignores unsigned
// devices (a device that is itself not to be signed cannot speak in that mode: it stays in the SDK's default).
//
// Speaks JSON lines. Standard input: {"id": 1, "do": "say", ...}; standard output: {"id": 1, "ok": {...}} or
// {"id": 1, "error": "..."}, and, unasked, {"event": "message" | "undecryptable" | "redaction" | "membership", ...};
// a reaction is a plain message. Goes into every room it is invited to. Ends when its standard input ends.
import { createInterface } from "node:readline";

// The SDK talks a lot on the console, and standard output is ours alone; warnings and errors go to standard error.
for (const level of ["log", "info", "debug", "trace"]) console[level] = () => {};

const sdk = await import("matrix-js-sdk");
const { EventShieldColour, OnlySignedDevicesIsolationMode } = await import("matrix-js-sdk/lib/crypto-api/index.js");

const write = (line) => process.stdout.write(JSON.stringify(line) + "\n");
let client;
let crypto;

const about = (event) => ({ room: event.getRoomId(), event_id: event.getId(), sender: event.getSender() });

async function tellDecrypted(event) {
    if (event.isDecryptionFailure()) {
        write({ event: "undecryptable", ...about(event), reason: event.decryptionFailureReason });
        return;
    }
    const seal = await crypto.getEncryptionInfoForEvent(event);
    write({
        event: "message",
        ...about(event),
        content: event.getContent(),
        encrypted: true,
        verified: seal?.shieldColour === EventShieldColour.NONE,
    });
}

function tellTimeline(event) {
    const plain = ["m.room.message", "m.reaction"].includes(event.getType()) && !event.isEncrypted();
    if (!plain || event.isRedacted() || event.status) return; // with a status: the echo of what is being sent
    write({ event: "message", ...about(event), content: event.getContent(), encrypted: false, verified: false });
}

function listen() {
    client.on(sdk.MatrixEventEvent.Decrypted, tellDecrypted);
    client.on(sdk.RoomEvent.Timeline, tellTimeline);
    client.on(sdk.RoomEvent.Redaction, (event) =>
        write({ event: "redaction", ...about(event), redacts: event.getAssociatedId() }),
    );
    client.on(sdk.RoomMemberEvent.Membership, (event, member) =>
        write({
            event: "membership",
            room: member.roomId,
            user: member.userId,
            membership: member.membership,
            sender: event.getSender(),
        }),
    );
    client.on(sdk.RoomEvent.MyMembership, async (room, membership) => {
        if (membership === "invite") await client.joinRoom(room.roomId);
    });
}

// The first keys of an account need no password on Synapse, a replacement does.
const withPassword = (user, password) => async (upload) => {
    try {
        return await upload(null);
    } catch (error) {
        if (!error.data?.session) throw error;
        const identifier = { type: "m.id.user", user };
        return await upload({ type: "m.login.password", identifier, password, session: error.data.session });
    }
};

// A room that one just joined is known, with its encryption, once a sync has brought it.
async function ready(roomId) {
    const isReady = async () =>
        client.getRoom(roomId)?.getMyMembership() === "join" && (await crypto.isEncryptionEnabledInRoom(roomId));
    while (!(await isReady())) {
        await new Promise((resolve) => client.once(sdk.ClientEvent.Sync, resolve));
    }
}

const relation = (to) => (to ? { "m.relates_to": { "m.in_reply_to": { event_id: to } } } : {});

const verbs = {
    async login({ url, user, password, sign }) {
        const gate = sdk.createClient({ baseUrl: url });
        const account = await gate.loginRequest({
            type: "m.login.password",
            identifier: { type: "m.id.user", user },
            password,
            initial_device_display_name: "matrix-js-sdk",
        });
        client = sdk.createClient({
            baseUrl: url,
            userId: account.user_id,
            deviceId: account.device_id,
            accessToken: account.access_token,
        });
        await client.initRustCrypto({ useIndexedDB: false });
        crypto = client.getCrypto();
        if (sign) {
            crypto.setDeviceIsolationMode(new OnlySignedDevicesIsolationMode());
            await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: withPassword(user, password) });
        }
        listen();
        const synced = new Promise((resolve) => client.once(sdk.ClientEvent.Sync, resolve));
        await client.startClient({ initialSyncLimit: 50 });
        await synced;
        return { user_id: account.user_id, device_id: account.device_id };
    },
    async create({ invite }) {
        const { room_id: room } = await client.createRoom({
            preset: "private_chat",
            invite,
            initial_state: [{ type: "m.room.encryption", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
        });
        await ready(room);
        return { room };
    },
    async join({ room }) {
        if (client.getRoom(room)?.getMyMembership() !== "join") await client.joinRoom(room);
        await ready(room);
        return {};
    },
    async leave({ room }) {
        await client.leave(room);
        return {};
    },
    async say({ room, text, reply_to }) {
        await ready(room);
        const { event_id } = await client.sendMessage(room, { msgtype: "m.text", body: text, ...relation(reply_to) });
        return { event_id };
    },
    async react({ room, target, key }) {
        const content = { "m.relates_to": { rel_type: "m.annotation", event_id: target, key } };
        const { event_id } = await client.sendEvent(room, "m.reaction", content);
        return { event_id };
    },
    async redact({ room, target }) {
        const { event_id } = await client.redactEvent(room, target);
        return { event_id };
    },
};

async function obey(line) {
    const { id, do: verb, ...wishes } = JSON.parse(line);
    try {
        write({ id, ok: await verbs[verb](wishes) });
    } catch (error) {
        write({ id, error: `${verb}: ${error.message ?? error}` });
    }
}

createInterface({ input: process.stdin })
    .on("line", obey)
    .on("close", () => process.exit(0));
