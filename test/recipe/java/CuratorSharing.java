/*
 * The Java half of contests about what both programs have at once; see contender_sharing.c.
 */
import java.io.Closeable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.atomic.PromotedToLock;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedIdQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedValue;
import org.apache.curator.framework.recipes.shared.VersionedValue;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceInstanceBuilder;
import org.apache.curator.x.discovery.ServiceProvider;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;

final class CuratorSharing {
    private static final int DELAY_MS = 100;
    private static final int KEYS = 5;
    private static CuratorFramework client;
    private static String base;
    private static int rounds;

    private static byte[] bytes(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] b) {
        return b == null ? "" : new String(b, StandardCharsets.UTF_8);
    }

    /* What one side got nobody else may get. */
    private static void got(String what) throws Exception {
        client.create().creatingParentsIfNeeded().forPath(base + "/got/" + what, bytes("j"));
    }

    private static int children(String tail) throws Exception {
        Stat stat = client.checkExists().forPath(base + tail);
        return stat == null ? 0 : stat.getNumChildren();
    }

    private static void number() throws Exception {
        PromotedToLock lock = PromotedToLock.builder().lockPath(base + "/promoted").timeout(60, TimeUnit.SECONDS)
                .retryPolicy(new RetryNTimes(1000, 1)).build();
        DistributedAtomicLong n = new DistributedAtomicLong(client, base + "/n", new RetryNTimes(1, 1), lock);
        for (int i = 0; i < rounds; i++) {
            AtomicValue<Long> v = n.increment();
            CuratorContender.check(v.succeeded(), "not added");
            got("" + v.postValue());
        }
        CuratorContender.meet("added");
        CuratorContender.check(n.get().postValue() == 2L * rounds, "sum " + n.get().postValue());
    }

    private static void count() throws Exception {
        SharedCount count = new SharedCount(client, base + "/lock", 0);
        count.start();
        for (int i = 0; i < rounds; i++) {
            VersionedValue<Integer> now = count.getVersionedValue();
            while (!count.trySetCount(now, now.getValue() + 1)) {
                now = count.getVersionedValue();
            }
            got("" + (now.getValue() + 1));
        }
        CuratorContender.eventually(() -> count.getCount() == 2 * rounds, "the count of both");
        count.close();
    }

    /* Each answers what the other has set. */
    private static void value() throws Exception {
        SharedValue value = new SharedValue(client, base + "/value", bytes("seed"));
        value.start();
        for (int i = 0; i < rounds; i++) {
            String want = "c " + i;
            CuratorContender.eventually(() -> text(value.getValue()).equals(want), want);
            CuratorContender.check(value.trySetValue(value.getVersionedValue(), bytes("java " + i)), "set by another");
        }
        value.close();
    }

    /* Judges and notes what it gets. An item is its key, who put it, and which one it was: "0000000000007-c-007". */
    private static final class Taker implements QueueConsumer<String> {
        final AtomicReference<Throwable> wrong = new AtomicReference<>();
        private final String kind;
        private long lastOfC = -1;
        private long lastOfJava = -1;
        private int taken;

        Taker(String kind) {
            this.kind = kind;
        }

        private void judge(String item) {
            long key = Long.parseLong(item.substring(0, 13));
            if (kind.equals("queue_delay")) {
                CuratorContender.check(key <= System.currentTimeMillis(), item + " came too early");
            } else if (kind.equals("queue_priority")) {
                CuratorContender.check(key >= lastOfC, item + " came after " + lastOfC);
                lastOfC = key;
            } else if (item.contains("-c-")) {
                CuratorContender.check(key >= lastOfC, item + " came after " + lastOfC);
                lastOfC = key;
            } else {
                CuratorContender.check(key >= lastOfJava, item + " came after " + lastOfJava);
                lastOfJava = key;
            }
        }

        @Override
        public void consumeMessage(String item) {
            try {
                judge(item);
                got(item);
                if (taken++ == 0) {
                    CuratorContender.create(base + "/took-java", "");
                    CuratorContender.eventually(() -> CuratorContender.isThere(base + "/took-c"), "c's first item");
                }
            } catch (Throwable t) {
                wrong.compareAndSet(null, t);
            }
        }

        @Override
        public void stateChanged(CuratorFramework f, ConnectionState state) {
        }
    }

    private static final class Text implements QueueSerializer<String> {
        @Override
        public byte[] serialize(String item) {
            return bytes(item);
        }

        @Override
        public String deserialize(byte[] b) {
            return text(b);
        }
    }

    private static QueueBuilder<String> builder(Taker taker, String locks) {
        QueueBuilder<String> b = QueueBuilder.builder(client, taker, new Text(), base + "/q");
        return locks == null ? b : b.lockPath(base + locks);
    }

    private static void simpleQueue(Taker taker) throws Exception {
        SimpleDistributedQueue q = new SimpleDistributedQueue(client, base + "/q");
        for (int i = 0; i < rounds; i++) {
            q.offer(bytes(String.format("%013d-java-%03d", i, i)));
        }
        CuratorContender.meet("put");
        while (children("/got") < 2 * rounds && taker.wrong.get() == null) {
            byte[] item = q.poll(50, TimeUnit.MILLISECONDS);
            if (item != null) {
                taker.consumeMessage(text(item));
            }
        }
    }

    private interface Putter {
        void put(String item, int i, long key) throws Exception;
    }

    private static void putAll(String kind, Putter p) throws Exception {
        for (int i = 0; i < rounds; i++) {
            long key = i;
            if (kind.equals("queue_priority")) {
                key = i * 7 % rounds;
            } else if (kind.equals("queue_delay")) {
                key = System.currentTimeMillis() + DELAY_MS;
            }
            p.put(String.format("%013d-java-%03d", key, i), i, key);
        }
    }

    /* Puts with one queue, which consumes nothing, and then takes with another. */
    private static Closeable open(String kind, Taker taker) throws Exception {
        if (kind.equals("queue_id")) {
            DistributedIdQueue<String> q = builder(taker, null).buildIdQueue();
            q.start();
            if (taker == null) {
                putAll(kind, (item, i, key) -> q.put(item, "java-" + i));
                CuratorContender.check(q.flushPuts(60, TimeUnit.SECONDS), "not put");
            }
            return q;
        }
        if (kind.equals("queue_priority")) {
            DistributedPriorityQueue<String> q = builder(taker, null).buildPriorityQueue(0);
            q.start();
            if (taker == null) {
                putAll(kind, (item, i, key) -> q.put(item, (int) key));
                CuratorContender.check(q.flushPuts(60, TimeUnit.SECONDS), "not put");
            }
            return q;
        }
        if (kind.equals("queue_delay")) {
            DistributedDelayQueue<String> q = builder(taker, null).buildDelayQueue();
            q.start();
            if (taker == null) {
                putAll(kind, (item, i, key) -> q.put(item, key));
                CuratorContender.check(q.flushPuts(60, TimeUnit.SECONDS), "not put");
            }
            return q;
        }
        DistributedQueue<String> q = builder(taker, kind.equals("queue_held") ? "/locks" : null).buildQueue();
        q.start();
        if (taker == null) {
            putAll(kind, (item, i, key) -> q.put(item));
            CuratorContender.check(q.flushPuts(60, TimeUnit.SECONDS), "not put");
        }
        return q;
    }

    private static void queue(String kind) throws Exception {
        Taker taker = new Taker(kind);
        if (kind.equals("queue_simple")) {
            simpleQueue(taker);
        } else {
            open(kind, null).close();
            CuratorContender.meet("put");
            try (Closeable q = open(kind, taker)) {
                CuratorContender.eventually(() -> children("/got") >= 2 * rounds || taker.wrong.get() != null, "all");
                CuratorContender.eventually(() -> children("/q") == 0 || taker.wrong.get() != null, "an empty queue");
            }
        }
        CuratorContender.check(taker.wrong.get() == null, "" + taker.wrong.get());
        CuratorContender.check(taker.taken > 0, "nothing taken");
    }

    private static String members(GroupMember g) {
        List<String> out = new ArrayList<>();
        for (Map.Entry<String, byte[]> e : new TreeMap<>(g.getCurrentMembers()).entrySet()) {
            out.add(e.getKey() + "=" + text(e.getValue()));
        }
        return String.join(",", out);
    }

    private static void membersAre(GroupMember g, String want) throws Exception {
        CuratorContender.eventually(() -> members(g).equals(want), want);
    }

    private static void group() throws Exception {
        GroupMember g = new GroupMember(client, base + "/group", "java", bytes("of java"));
        g.start();
        membersAre(g, "c=of c,java=of java");
        CuratorContender.meet("both");
        g.setThisData(bytes("changed"));
        membersAre(g, "c=changed,java=changed");
        CuratorContender.meet("changed");
        membersAre(g, "java=changed");
        CuratorContender.meet("alone-java");
        membersAre(g, "c=again,java=changed");
        CuratorContender.meet("again");
        g.close();
    }

    private static void nodeIs(String tail, String want, long notCzxid) throws Exception {
        CuratorContender.eventually(() -> {
            Stat stat = new Stat();
            try {
                byte[] data = client.getData().storingStatIn(stat).forPath(base + tail);
                return text(data).equals(want) && stat.getCzxid() != notCzxid;
            } catch (KeeperException.NoNodeException e) {
                return false;
            }
        }, tail + " with " + want);
    }

    private static PersistentNode persistent(String tail) {
        PersistentNode n = new PersistentNode(client, CreateMode.EPHEMERAL, false, base + tail, bytes("of java"));
        n.start();
        return n;
    }

    private static void persistentNode() throws Exception {
        PersistentNode n = persistent("/node-java");
        CuratorContender.check(n.waitForInitialCreate(60, TimeUnit.SECONDS), "no node");
        CuratorContender.meet("made");
        Stat before = client.checkExists().forPath(base + "/node-c");
        client.delete().forPath(base + "/node-c");
        nodeIs("/node-c", "of c", before.getCzxid());
        CuratorContender.meet("remade");
        n.close();
        CuratorContender.meet("c-has-it");
        n = persistent("/node");
        CuratorContender.meet("java-wants-it");
        nodeIs("/node", "of java", 0);
        CuratorContender.meet("c-wants-it");
        n.close();
        nodeIs("/node", "of c", 0);
        CuratorContender.meet("c-has-it-again");
    }

    private static String services(ServiceCache<String> c) {
        List<String> out = new ArrayList<>();
        for (ServiceInstance<String> i : c.getInstances()) {
            out.add(i.getId() + ":" + i.getPort());
        }
        Collections.sort(out);
        return String.join(",", out);
    }

    private static void servicesAre(ServiceCache<String> c, String want) throws Exception {
        CuratorContender.eventually(() -> services(c).equals(want), "services " + want);
    }

    private static ServiceInstance<String> instance(int port) throws Exception {
        ServiceInstanceBuilder<String> b = ServiceInstance.builder();
        return b.name("web").id("java").address("java-host").port(port).payload("java").build();
    }

    private static void providerHasBoth(ServiceDiscovery<String> d) throws Exception {
        try (ServiceProvider<String> p = d.serviceProviderBuilder().serviceName("web").build()) {
            p.start();
            CuratorContender.eventually(() -> p.getAllInstances().size() == 2, "both instances");
            String seen = "";
            for (int i = 0; i < 3; i++) {
                seen += p.getInstance().getId();
            }
            CuratorContender.check(seen.contains("cjava") || seen.contains("javac"), "in turn: " + seen);
        }
    }

    private static void registry() throws Exception {
        ServiceDiscovery<String> d =
                ServiceDiscoveryBuilder.builder(String.class).client(client).basePath(base + "/services").build();
        d.start();
        ServiceCache<String> c = d.serviceCacheBuilder().name("web").build();
        c.start();
        d.registerService(instance(2000));
        servicesAre(c, "c:1000,java:2000");
        providerHasBoth(d);
        CuratorContender.meet("both");
        d.updateService(instance(2001));
        servicesAre(c, "c:1001,java:2001");
        CuratorContender.meet("changed");
        servicesAre(c, "java:2001");
        CuratorContender.meet("one-gone");
        d.unregisterService(instance(2001));
        servicesAre(c, "");
        c.close();
        d.close();
    }

    private static void doSomething(int i) throws Exception {
        String node = base + "/data/k" + i % KEYS;
        try {
            switch (i % 4) {
                case 0: client.create().creatingParentsIfNeeded().forPath(node + "/s", bytes("j")); break;
                case 1: client.delete().forPath(node + "/s"); break;
                case 2: client.delete().deletingChildrenIfNeeded().forPath(node); break;
                default: client.setData().forPath(node, bytes("java " + i)); break;
            }
        } catch (KeeperException.NoNodeException | KeeperException.NodeExistsException
                | KeeperException.NotEmptyException e) {
            // the other one was first
        }
    }

    private static void read(String path, int levels, Map<String, String> out) throws Exception {
        if (levels == 0) {
            return;
        }
        for (String name : client.getChildren().forPath(path)) {
            String child = path + "/" + name;
            out.put(child, text(client.getData().forPath(child)));
            read(child, levels - 1, out);
        }
    }

    private static void readTree(TreeCache c, String path, Map<String, String> out) {
        Map<String, ChildData> below = c.getCurrentChildren(path);
        if (below != null) {
            for (ChildData d : below.values()) {
                out.put(d.getPath(), text(d.getData()));
                readTree(c, d.getPath(), out);
            }
        }
    }

    private static void change() throws Exception {
        CuratorContender.meet("made");
        for (int i = 0; i < 4 * rounds; i++) {
            doSomething(i);
        }
        CuratorContender.create(base + "/data/last-java", "");
        CuratorContender.meet("written");
        client.setData().forPath(base + "/data/last-java", bytes("end"));
        client.setData().forPath(base + "/data", bytes("j"));
        CuratorContender.meet("set");
    }

    private interface Shown {
        void into(Map<String, String> out) throws Exception;
    }

    private static void changeAndCompare(int levels, Shown cached) throws Exception {
        change();
        CuratorContender.eventually(() -> {
            Map<String, String> want = new TreeMap<>();
            Map<String, String> have = new TreeMap<>();
            read(base + "/data", levels, want);
            cached.into(have);
            return want.equals(have);
        }, "the cache as the server");
    }

    /* One cache in each contest, as in contender_sharing.c. */
    private static void cache(String contest) throws Exception {
        String root = base + "/data";
        CuratorContender.create(root, "");
        if (contest.equals("cache_tree")) {
            try (CuratorCache c = CuratorCache.build(client, root)) {
                c.start();
                changeAndCompare(3, out -> c.stream().filter(d -> !d.getPath().equals(root))
                        .forEach(d -> out.put(d.getPath(), text(d.getData()))));
            }
        } else if (contest.equals("cache_old_tree")) {
            try (TreeCache c = new TreeCache(client, root)) {
                c.start();
                changeAndCompare(3, out -> readTree(c, root, out));
            }
        } else if (contest.equals("cache_children")) {
            try (PathChildrenCache c = new PathChildrenCache(client, root, true)) {
                c.start();
                changeAndCompare(1, out -> c.getCurrentData().forEach(d -> out.put(d.getPath(), text(d.getData()))));
            }
        } else {
            try (NodeCache c = new NodeCache(client, root)) {
                c.start();
                change();
                String want = text(client.getData().forPath(root));
                CuratorContender.eventually(() -> text(c.getCurrentData().getData()).equals(want), "the cached node");
            }
        }
    }

    private static void compressed() throws Exception {
        String text = "zokor ".repeat(1000);
        client.create().compressed().forPath(base + "/java-data", bytes(text));
        CuratorContender.meet("compressed");
        boolean same = text.equals(text(client.getData().decompressed().forPath(base + "/c-data")));
        CuratorContender.check(same, "other data");
    }

    static void run(String contest) throws Exception {
        client = CuratorContender.client;
        base = CuratorContender.base;
        rounds = CuratorContender.rounds;
        switch (contest) {
            case "count": count(); break;
            case "value": value(); break;
            case "number": number(); break;
            case "group": group(); break;
            case "persistent_node": persistentNode(); break;
            case "registry": registry(); break;
            case "compressed": compressed(); break;
            default:
                CuratorContender.check(contest.matches("(queue|cache)_.*"), "no contest " + contest);
                if (contest.startsWith("queue_")) {
                    queue(contest);
                } else {
                    cache(contest);
                }
        }
    }
}
