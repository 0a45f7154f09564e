/*
 * Drives a ZooKeeper server with Apache Curator, one recipe after the other.
 *
 *   java CuratorInterop host:port [name ...]
 *
 * prints "PASS name" or "FAIL name: reason" for each, and exits with 1 if one failed. `--list`
 * prints the names.
 */
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.CuratorEvent;
import org.apache.curator.framework.api.CuratorEventType;
import org.apache.curator.framework.api.CuratorListener;
import org.apache.curator.framework.api.transaction.CuratorOp;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedValue;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.retry.RetryNTimes;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceProvider;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

public final class CuratorInterop {
    private static final int WAIT_S = 60;
    private static String hosts;

    private interface Case {
        void run(CuratorFramework client, String base) throws Exception;
    }

    private static final Map<String, Case> CASES = new LinkedHashMap<>();

    private static void check(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    private static void equal(Object want, Object got) {
        check(want == null ? got == null : want.equals(got), "expected " + want + ", got " + got);
    }

    private static byte[] bytes(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] b) {
        return b == null ? null : new String(b, StandardCharsets.UTF_8);
    }

    private static void await(CountDownLatch latch, String what) throws InterruptedException {
        check(latch.await(WAIT_S, TimeUnit.SECONDS), "waited in vain for " + what);
    }

    private static void eventually(Callable<Boolean> condition, String what) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_S);
        while (!condition.call()) {
            check(System.nanoTime() < end, "waited in vain for " + what);
            Thread.sleep(10);
        }
    }

    private static <T> T next(BlockingQueue<T> queue, String what) throws InterruptedException {
        T value = queue.poll(WAIT_S, TimeUnit.SECONDS);
        check(value != null, "waited in vain for " + what);
        return value;
    }

    private static CuratorFramework connect() throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient(
            hosts, 30000, 30000, new ExponentialBackoffRetry(100, 5));
        client.start();
        check(client.blockUntilConnected(WAIT_S, TimeUnit.SECONDS), "cannot connect to " + hosts);
        return client;
    }

    /* ---- locks ---- */

    /** Several clients count up under a lock that must not let two in. */
    private static void exclusion(
        java.util.function.Function<CuratorFramework, InterProcessLock> maker) throws Exception {
        int threads = 4;
        int rounds = 10;
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger total = new AtomicInteger();
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        List<Future<Void>> futures = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            futures.add(pool.submit(() -> {
                try (CuratorFramework own = connect()) {
                    InterProcessLock lock = maker.apply(own);
                    for (int n = 0; n < rounds; n++) {
                        check(lock.acquire(WAIT_S, TimeUnit.SECONDS), "lock not acquired");
                        try {
                            check(inside.incrementAndGet() == 1, "two holders at once");
                            total.incrementAndGet();
                            inside.decrementAndGet();
                        } finally {
                            lock.release();
                        }
                    }
                }
                return null;
            }));
        }
        for (Future<Void> future : futures) {
            future.get(4 * WAIT_S, TimeUnit.SECONDS);
        }
        pool.shutdown();
        equal(threads * rounds, total.get());
    }

    private static void locks() {
        CASES.put("InterProcessMutex", (client, base) -> {
            exclusion(own -> new InterProcessMutex(own, base + "/lock"));
            InterProcessMutex lock = new InterProcessMutex(client, base + "/lock");
            lock.acquire();
            lock.acquire();
            check(lock.isAcquiredInThisProcess(), "reentrant");
            equal(1, lock.getParticipantNodes().size());
            lock.release();
            check(lock.isAcquiredInThisProcess(), "still held once");
            lock.release();
            check(!lock.isAcquiredInThisProcess(), "released");
        });
        CASES.put("InterProcessMutexTimeout", (client, base) -> {
            InterProcessMutex lock = new InterProcessMutex(client, base + "/lock");
            lock.acquire();
            try (CuratorFramework other = connect()) {
                InterProcessMutex theirs = new InterProcessMutex(other, base + "/lock");
                check(!theirs.acquire(200, TimeUnit.MILLISECONDS), "held by another");
                lock.release();
                check(theirs.acquire(WAIT_S, TimeUnit.SECONDS), "free now");
                theirs.release();
            }
            equal(0, client.getChildren().forPath(base + "/lock").size());
        });
        CASES.put("InterProcessMutexHolderDies", (client, base) -> {
            CuratorFramework dying = connect();
            new InterProcessMutex(dying, base + "/lock").acquire();
            InterProcessMutex lock = new InterProcessMutex(client, base + "/lock");
            check(!lock.acquire(200, TimeUnit.MILLISECONDS), "held by another");
            dying.close();
            check(lock.acquire(WAIT_S, TimeUnit.SECONDS), "the holder's session ended");
            lock.release();
        });
        CASES.put("InterProcessSemaphoreMutex", (client, base) -> {
            exclusion(own -> new InterProcessSemaphoreMutex(own, base + "/lock"));
        });
        CASES.put("InterProcessReadWriteLock", (client, base) -> {
            try (CuratorFramework other = connect()) {
                InterProcessReadWriteLock mine =
                    new InterProcessReadWriteLock(client, base + "/lock");
                InterProcessReadWriteLock theirs =
                    new InterProcessReadWriteLock(other, base + "/lock");
                mine.readLock().acquire();
                check(theirs.readLock().acquire(WAIT_S, TimeUnit.SECONDS), "readers share");
                check(!theirs.writeLock().acquire(200, TimeUnit.MILLISECONDS),
                    "a writer waits for readers");
                theirs.readLock().release();
                mine.readLock().release();
                check(theirs.writeLock().acquire(WAIT_S, TimeUnit.SECONDS), "the writer alone");
                check(!mine.readLock().acquire(200, TimeUnit.MILLISECONDS),
                    "readers wait for the writer");
                check(!mine.writeLock().acquire(200, TimeUnit.MILLISECONDS),
                    "writers wait for the writer");
                check(theirs.readLock().acquire(WAIT_S, TimeUnit.SECONDS), "the writer may read");
                theirs.writeLock().release();
                check(mine.readLock().acquire(WAIT_S, TimeUnit.SECONDS),
                    "readers share after a downgrade");
                mine.readLock().release();
                theirs.readLock().release();
            }
        });
        CASES.put("InterProcessReadWriteLockExclusion", (client, base) -> {
            exclusion(own -> new InterProcessReadWriteLock(own, base + "/lock").writeLock());
        });
        CASES.put("InterProcessSemaphoreV2", (client, base) -> {
            InterProcessSemaphoreV2 semaphore =
                new InterProcessSemaphoreV2(client, base + "/sem", 3);
            Collection<Lease> leases = semaphore.acquire(3);
            equal(3, leases.size());
            try (CuratorFramework other = connect()) {
                InterProcessSemaphoreV2 theirs =
                    new InterProcessSemaphoreV2(other, base + "/sem", 3);
                check(theirs.acquire(200, TimeUnit.MILLISECONDS) == null, "no lease left");
                semaphore.returnLease(leases.iterator().next());
                Lease lease = theirs.acquire(WAIT_S, TimeUnit.SECONDS);
                check(lease != null, "one lease came back");
                equal(3, semaphore.getParticipantNodes().size());
                theirs.returnLease(lease);
            }
        });
        CASES.put("InterProcessMultiLock", (client, base) -> {
            InterProcessMultiLock lock =
                new InterProcessMultiLock(client, Arrays.asList(base + "/a", base + "/b"));
            check(lock.acquire(WAIT_S, TimeUnit.SECONDS), "both");
            try (CuratorFramework other = connect()) {
                InterProcessMutex theirs = new InterProcessMutex(other, base + "/b");
                check(!theirs.acquire(200, TimeUnit.MILLISECONDS), "part of the multi lock");
                lock.release();
                check(theirs.acquire(WAIT_S, TimeUnit.SECONDS), "released");
                theirs.release();
            }
        });
    }

    /* ---- leaders ---- */

    private static void leaders() {
        CASES.put("LeaderLatch", (client, base) -> {
            List<CuratorFramework> clients = new ArrayList<>();
            List<LeaderLatch> latches = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                clients.add(connect());
                latches.add(new LeaderLatch(clients.get(i), base + "/latch", "p" + i));
                latches.get(i).start();
            }
            eventually(() -> latches.get(0).getParticipants().size() == 4, "four participants");
            while (!latches.isEmpty()) {
                eventually(()
                               -> latches.stream().filter(LeaderLatch::hasLeadership).count() == 1,
                    "one leader");
                LeaderLatch leader =
                    latches.stream().filter(LeaderLatch::hasLeadership).findFirst().get();
                equal(leader.getId(), latches.get(latches.size() - 1).getLeader().getId());
                latches.remove(leader);
                leader.close();
            }
            for (CuratorFramework c : clients) {
                c.close();
            }
        });
        CASES.put("LeaderLatchLeaderDies", (client, base) -> {
            CuratorFramework dying = connect();
            LeaderLatch first = new LeaderLatch(dying, base + "/latch", "first");
            first.start();
            first.await(WAIT_S, TimeUnit.SECONDS);
            LeaderLatch second = new LeaderLatch(client, base + "/latch", "second");
            second.start();
            equal("first", second.getLeader().getId());
            dying.close();
            check(second.await(WAIT_S, TimeUnit.SECONDS), "takes over");
            second.close();
        });
        CASES.put("LeaderSelector", (client, base) -> {
            AtomicInteger inside = new AtomicInteger();
            BlockingQueue<String> turns = new LinkedBlockingQueue<>();
            List<LeaderSelector> selectors = new ArrayList<>();
            List<CuratorFramework> clients = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                clients.add(connect());
            }
            for (int i = 0; i < 3; i++) {
                String id = "s" + i;
                LeaderSelector selector = new LeaderSelector(
                    clients.get(i), base + "/selector", new LeaderSelectorListenerAdapter() {
                        @Override
                        public void takeLeadership(CuratorFramework c) throws Exception {
                            turns.add(inside.incrementAndGet() == 1 ? id : "two leaders");
                            Thread.sleep(20);
                            inside.decrementAndGet();
                        }
                    });
                selector.setId(id);
                selector.autoRequeue();
                selector.start();
                selectors.add(selector);
            }
            Set<String> seen = new TreeSet<>();
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_S);
            for (int i = 0; i < 12 || seen.size() < 3; i++) { // the first may have many before the others are there
                seen.add(next(turns, "a turn of leadership"));
                check(System.nanoTime() < end, "waited in vain for the turns of all, not only " + seen);
            }
            equal("[s0, s1, s2]", seen.toString());
            for (LeaderSelector selector : selectors) {
                selector.close();
            }
            for (CuratorFramework c : clients) {
                c.close();
            }
        });
    }

    /* ---- caches ---- */

    @SuppressWarnings("deprecation")
    private static void caches() {
        CASES.put("NodeCache", (client, base) -> {
            BlockingQueue<String> seen = new LinkedBlockingQueue<>();
            NodeCache cache = new NodeCache(client, base + "/n");
            cache.getListenable().addListener(() -> {
                ChildData data = cache.getCurrentData();
                seen.add(data == null ? "gone" : text(data.getData()));
            });
            cache.start(true);
            client.create().forPath(base + "/n", bytes("one"));
            equal("one", next(seen, "creation"));
            client.setData().forPath(base + "/n", bytes("two"));
            equal("two", next(seen, "change"));
            client.delete().forPath(base + "/n");
            equal("gone", next(seen, "deletion"));
            client.create().forPath(base + "/n", bytes("three"));
            equal("three", next(seen, "creation again"));
            cache.close();
        });
        CASES.put("PathChildrenCache", (client, base) -> {
            BlockingQueue<String> seen = new LinkedBlockingQueue<>();
            client.create().forPath(base + "/p");
            client.create().forPath(base + "/p/old", bytes("0"));
            PathChildrenCache cache = new PathChildrenCache(client, base + "/p", true);
            cache.getListenable().addListener((c, event) -> {
                ChildData data = event.getData();
                seen.add(event.getType()
                    + (data == null ? "" : " " + data.getPath().substring(base.length() + 3)));
            });
            cache.start(PathChildrenCache.StartMode.POST_INITIALIZED_EVENT);
            Set<String> first = new HashSet<>();
            while (!first.contains("INITIALIZED")) {
                first.add(next(seen, "INITIALIZED"));
            }
            check(first.contains("CHILD_ADDED old"), "the child that was there");
            client.create().forPath(base + "/p/a", bytes("1"));
            equal("CHILD_ADDED a", next(seen, "a child"));
            equal("1", text(cache.getCurrentData(base + "/p/a").getData()));
            client.setData().forPath(base + "/p/a", bytes("2"));
            equal("CHILD_UPDATED a", next(seen, "its change"));
            client.delete().forPath(base + "/p/a");
            equal("CHILD_REMOVED a", next(seen, "its end"));
            equal(1, cache.getCurrentData().size());
            cache.close();
        });
        CASES.put("TreeCache", (client, base) -> {
            BlockingQueue<String> seen = new LinkedBlockingQueue<>();
            client.create().creatingParentsIfNeeded().forPath(base + "/t/a/b", bytes("deep"));
            TreeCache cache = new TreeCache(client, base + "/t");
            cache.getListenable().addListener((c, event) -> {
                ChildData data = event.getData();
                seen.add(event.getType()
                    + (data == null ? "" : " " + data.getPath().substring(base.length())));
            });
            cache.start();
            Set<String> first = new TreeSet<>();
            while (!first.contains("INITIALIZED")) {
                first.add(next(seen, "INITIALIZED"));
            }
            check(first.containsAll(
                      Arrays.asList("NODE_ADDED /t", "NODE_ADDED /t/a", "NODE_ADDED /t/a/b")),
                first.toString());
            client.setData().forPath(base + "/t/a/b", bytes("new"));
            equal("NODE_UPDATED /t/a/b", next(seen, "a change"));
            client.create().forPath(base + "/t/a/b/c");
            equal("NODE_ADDED /t/a/b/c", next(seen, "a deeper node"));
            client.delete().deletingChildrenIfNeeded().forPath(base + "/t/a");
            Set<String> removed = new TreeSet<>();
            for (int i = 0; i < 3; i++) {
                removed.add(next(seen, "a removal"));
            }
            equal("[NODE_REMOVED /t/a, NODE_REMOVED /t/a/b, NODE_REMOVED /t/a/b/c]",
                removed.toString());
            equal(0, cache.getCurrentChildren(base + "/t").size());
            cache.close();
        });
        CASES.put("CuratorCache", (client, base) -> {
            BlockingQueue<String> seen = new LinkedBlockingQueue<>();
            client.create().creatingParentsIfNeeded().forPath(base + "/c/old", bytes("0"));
            CuratorCache cache = CuratorCache.build(client, base + "/c");
            CountDownLatch ready = new CountDownLatch(1);
            cache.listenable().addListener(
                CuratorCacheListener.builder()
                    .forCreates(
                        node -> seen.add("created " + node.getPath().substring(base.length())))
                    .forChanges((old, node)
                                    -> seen.add("changed " + text(old.getData()) + " to "
                                        + text(node.getData())))
                    .forDeletes(
                        node -> seen.add("deleted " + node.getPath().substring(base.length())))
                    .forInitialized(ready::countDown)
                    .build());
            cache.start();
            await(ready, "the first sweep");
            Set<String> first = new TreeSet<>();
            seen.drainTo(first);
            equal("[created /c, created /c/old]", first.toString());
            client.create().forPath(base + "/c/a", bytes("1"));
            equal("created /c/a", next(seen, "creation"));
            client.setData().forPath(base + "/c/a", bytes("2"));
            equal("changed 1 to 2", next(seen, "change"));
            client.create().creatingParentsIfNeeded().forPath(base + "/c/a/b/c", bytes("3"));
            equal("created /c/a/b", next(seen, "deeper creation"));
            equal("created /c/a/b/c", next(seen, "deepest creation"));
            client.delete().forPath(base + "/c/a/b/c");
            equal("deleted /c/a/b/c", next(seen, "deletion"));
            equal("2", text(cache.get(base + "/c/a").get().getData()));
            cache.close();
        });
        CASES.put("PersistentWatcher", (client, base) -> {
            for (boolean recursive : new boolean[] {false, true}) {
                String node = base + "/w" + recursive;
                client.create().forPath(node);
                BlockingQueue<String> seen = new LinkedBlockingQueue<>();
                PersistentWatcher watcher = new PersistentWatcher(client, node, recursive);
                CountDownLatch ready = new CountDownLatch(1);
                watcher.getResetListenable().addListener(ready::countDown);
                watcher.getListenable().addListener(event -> {
                    if (event.getType() != Watcher.Event.EventType.None) {
                        seen.add(event.getType() + " " + event.getPath().substring(base.length()));
                    }
                });
                watcher.start();
                await(ready, "the watch to be set");
                String name = "/w" + recursive;
                for (int i = 0; i < 3; i++) {
                    client.setData().forPath(node, bytes("" + i));
                    equal("NodeDataChanged " + name, next(seen, "a change"));
                }
                client.create().forPath(node + "/k");
                equal(recursive ? "NodeCreated " + name + "/k" : "NodeChildrenChanged " + name,
                    next(seen, "a child"));
                client.setData().forPath(node + "/k", bytes("x"));
                if (recursive) {
                    equal("NodeDataChanged " + name + "/k", next(seen, "a child's change"));
                }
                client.delete().forPath(node + "/k");
                equal(recursive ? "NodeDeleted " + name + "/k" : "NodeChildrenChanged " + name,
                    next(seen, "the child's end"));
                watcher.close();
            }
        });
    }

    /* ---- the framework itself ---- */

    private static void framework() {
        CASES.put("CreateModes", (client, base) -> {
            equal(
                base + "/p", client.create().withMode(CreateMode.PERSISTENT).forPath(base + "/p"));
            equal(base + "/s-0000000001",
                client.create().withMode(CreateMode.PERSISTENT_SEQUENTIAL).forPath(base + "/s-"));
            client.create().withMode(CreateMode.EPHEMERAL).forPath(base + "/e");
            long session = client.getZookeeperClient().getZooKeeper().getSessionId();
            equal(session, client.checkExists().forPath(base + "/e").getEphemeralOwner());
            equal(base + "/es-0000000003",
                client.create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(base + "/es-"));
            client.create().withMode(CreateMode.CONTAINER).forPath(base + "/c");
            Stat stat = new Stat();
            client.create()
                .withTtl(100000)
                .storingStatIn(stat)
                .withMode(CreateMode.PERSISTENT_WITH_TTL)
                .forPath(base + "/t", bytes("x"));
            equal(1, stat.getDataLength());
            equal(base + "/ts-0000000006",
                client.create()
                    .withTtl(100000)
                    .withMode(CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL)
                    .forPath(base + "/ts-"));
            client.create().creatingParentContainersIfNeeded().forPath(base + "/c1/c2/n");
            check(client.checkExists().forPath(base + "/c1/c2") != null, "parents as containers");
        });
        CASES.put("DataAndVersions", (client, base) -> {
            client.create().forPath(base + "/n", bytes("one"));
            Stat stat = new Stat();
            equal("one", text(client.getData().storingStatIn(stat).forPath(base + "/n")));
            equal(1,
                client.setData()
                    .withVersion(stat.getVersion())
                    .forPath(base + "/n", bytes("two"))
                    .getVersion());
            try {
                client.setData()
                    .withVersion(stat.getVersion())
                    .forPath(base + "/n", bytes("three"));
                check(false, "a stale version was accepted");
            } catch (KeeperException.BadVersionException expected) {
                equal("two", text(client.getData().forPath(base + "/n")));
            }
            try {
                client.delete().withVersion(7).forPath(base + "/n");
                check(false, "a stale version was accepted");
            } catch (KeeperException.BadVersionException expected) {
                client.delete().guaranteed().withVersion(1).forPath(base + "/n");
            }
            equal(null, client.checkExists().forPath(base + "/n"));
        });
        CASES.put("CompressedData", (client, base) -> {
            byte[] data = bytes(String.join("", Collections.nCopies(1000, "zookeeper ")));
            client.create().compressed().forPath(base + "/z", data);
            check(
                client.checkExists().forPath(base + "/z").getDataLength() < data.length, "smaller");
            check(Arrays.equals(data, client.getData().decompressed().forPath(base + "/z")),
                "the same");
        });
        CASES.put("BackgroundCalls", (client, base) -> {
            BlockingQueue<CuratorEvent> seen = new LinkedBlockingQueue<>();
            client.create()
                .inBackground((c, e) -> seen.add(e), "context")
                .forPath(base + "/b", bytes("1"));
            CuratorEvent event = next(seen, "create");
            equal(CuratorEventType.CREATE, event.getType());
            equal(0, event.getResultCode());
            equal(base + "/b", event.getName());
            equal("context", event.getContext());
            client.getData().inBackground((c, e) -> seen.add(e)).forPath(base + "/b");
            event = next(seen, "getData");
            equal("1", text(event.getData()));
            client.setData().inBackground((c, e) -> seen.add(e)).forPath(base + "/b", bytes("2"));
            equal(1, next(seen, "setData").getStat().getVersion());
            client.getChildren().inBackground((c, e) -> seen.add(e)).forPath(base);
            equal(Collections.singletonList("b"), next(seen, "getChildren").getChildren());
            client.checkExists().inBackground((c, e) -> seen.add(e)).forPath(base + "/none");
            event = next(seen, "checkExists");
            equal(KeeperException.Code.NONODE.intValue(), event.getResultCode());
            client.getACL().inBackground((c, e) -> seen.add(e)).forPath(base + "/b");
            equal(ZooDefs.Ids.OPEN_ACL_UNSAFE, next(seen, "getACL").getACLList());
            client.setACL()
                .withACL(ZooDefs.Ids.OPEN_ACL_UNSAFE)
                .inBackground((c, e) -> seen.add(e))
                .forPath(base + "/b");
            equal(1, next(seen, "setACL").getStat().getAversion());
            client.sync().inBackground((c, e) -> seen.add(e)).forPath(base);
            equal(CuratorEventType.SYNC, next(seen, "sync").getType());
            client.delete().inBackground((c, e) -> seen.add(e)).forPath(base + "/b");
            equal(0, next(seen, "delete").getResultCode());
        });
        CASES.put("BackgroundOrder", (client, base) -> {
            int count = 300;
            BlockingQueue<String> seen = new LinkedBlockingQueue<>();
            for (int i = 0; i < count; i++) {
                client.create()
                    .withMode(CreateMode.PERSISTENT_SEQUENTIAL)
                    .inBackground((c, e) -> seen.add(e.getName()))
                    .forPath(base + "/q-");
            }
            for (int i = 0; i < count; i++) {
                equal(String.format("%s/q-%010d", base, i), next(seen, "reply " + i));
            }
        });
        CASES.put("CuratorListener", (client, base) -> {
            BlockingQueue<CuratorEvent> seen = new LinkedBlockingQueue<>();
            CuratorListener listener = (c, e) -> seen.add(e);
            client.getCuratorListenable().addListener(listener);
            client.create().inBackground().forPath(base + "/l");
            equal(CuratorEventType.CREATE, next(seen, "create").getType());
            client.getData().watched().forPath(base + "/l");
            client.setData().forPath(base + "/l", bytes("x"));
            CuratorEvent event = next(seen, "the watch");
            equal(CuratorEventType.WATCHED, event.getType());
            equal(Watcher.Event.EventType.NodeDataChanged, event.getWatchedEvent().getType());
            client.getCuratorListenable().removeListener(listener);
        });
        CASES.put("WatchersOfReads", (client, base) -> {
            BlockingQueue<String> seen = new LinkedBlockingQueue<>();
            Watcher watcher =
                e -> seen.add(e.getType() + " " + e.getPath().substring(base.length()));
            client.checkExists().usingWatcher(watcher).forPath(base + "/x");
            client.getChildren().usingWatcher(watcher).forPath(base);
            client.create().forPath(base + "/x");
            equal("NodeCreated /x", next(seen, "creation"));
            equal("NodeChildrenChanged ", next(seen, "the parent"));
            client.getData().usingWatcher(watcher).forPath(base + "/x");
            client.delete().forPath(base + "/x");
            equal("NodeDeleted /x", next(seen, "deletion"));
        });
        CASES.put("RemoveWatches", (client, base) -> {
            BlockingQueue<String> seen = new LinkedBlockingQueue<>();
            Watcher watcher = e -> seen.add(e.getType().toString());
            client.create().forPath(base + "/x");
            client.getData().usingWatcher(watcher).forPath(base + "/x");
            client.watches().remove(watcher).ofType(Watcher.WatcherType.Data).forPath(base + "/x");
            equal("DataWatchRemoved", next(seen, "the removal"));
            client.setData().forPath(base + "/x", bytes("1"));
            client.watchers()
                .add()
                .withMode(AddWatchMode.PERSISTENT)
                .usingWatcher(watcher)
                .forPath(base + "/x");
            client.setData().forPath(base + "/x", bytes("2"));
            equal("NodeDataChanged", next(seen, "a change"));
            client.watches().remove(watcher).forPath(base + "/x");
            equal("PersistentWatchRemoved", next(seen, "the removal"));
            client.setData().forPath(base + "/x", bytes("3"));
            client.sync().forPath(base);
            equal(null, seen.poll());
        });
        CASES.put("ProtectedCreates", (client, base) -> {
            String path = client.create()
                              .withProtection()
                              .withMode(CreateMode.EPHEMERAL_SEQUENTIAL)
                              .forPath(base + "/n-");
            check(path.matches(base + "/_c_[0-9a-f-]{36}-n-0000000000"), path);
            check(client.checkExists().forPath(path) != null, "it is there");
            String plain = client.create().withProtection().forPath(base + "/p");
            check(plain.matches(base + "/_c_[0-9a-f-]{36}-p"), plain);
        });
        CASES.put("CreateOrSet", (client, base) -> {
            client.create().orSetData().forPath(base + "/n", bytes("1"));
            client.create().orSetData().forPath(base + "/n", bytes("2"));
            equal("2", text(client.getData().forPath(base + "/n")));
            client.create().idempotent().forPath(base + "/i", bytes("1"));
            client.create().idempotent().forPath(base + "/i", bytes("1"));
            client.setData().idempotent().withVersion(0).forPath(base + "/i", bytes("2"));
            client.delete().idempotent().forPath(base + "/i");
            client.delete().idempotent().forPath(base + "/i");
        });
        CASES.put("Transactions", (client, base) -> {
            CuratorOp create = client.transactionOp().create().forPath(base + "/a", bytes("1"));
            CuratorOp set = client.transactionOp().setData().forPath(base + "/a", bytes("2"));
            CuratorOp test = client.transactionOp().check().withVersion(1).forPath(base + "/a");
            CuratorOp seq = client.transactionOp()
                                .create()
                                .withMode(CreateMode.EPHEMERAL_SEQUENTIAL)
                                .forPath(base + "/s-");
            CuratorOp gone = client.transactionOp().create().forPath(base + "/b");
            CuratorOp delete = client.transactionOp().delete().forPath(base + "/b");
            List<CuratorTransactionResult> results =
                client.transaction().forOperations(create, set, test, seq, gone, delete);
            equal(6, results.size());
            equal(base + "/a", results.get(0).getResultPath());
            equal(1, results.get(1).getResultStat().getVersion());
            equal(base + "/s-0000000001", results.get(3).getResultPath());
            equal(null, client.checkExists().forPath(base + "/b"));
            try {
                client.transaction().forOperations(
                    client.transactionOp().setData().forPath(base + "/a", bytes("3")),
                    client.transactionOp().check().withVersion(99).forPath(base + "/a"));
                check(false, "a failing check was accepted");
            } catch (KeeperException.BadVersionException expected) {
                equal("2", text(client.getData().forPath(base + "/a")));
                equal(KeeperException.Code.OK.intValue(),
                    ((org.apache.zookeeper.OpResult.ErrorResult) expected.getResults().get(0))
                        .getErr());
            }
        });
        CASES.put("TransactionKinds", (client, base) -> {
            List<CuratorTransactionResult> results = client.transaction().forOperations(
                client.transactionOp().create().withMode(CreateMode.CONTAINER).forPath(base + "/c"),
                client.transactionOp()
                    .create()
                    .withTtl(100000)
                    .withMode(CreateMode.PERSISTENT_WITH_TTL)
                    .forPath(base + "/t"),
                client.transactionOp()
                    .create()
                    .withMode(CreateMode.EPHEMERAL)
                    .forPath(base + "/e"));
            equal(3, results.size());
            for (String name : new String[] {"c", "t", "e"}) {
                check(client.checkExists().forPath(base + "/" + name) != null, name);
            }
        });
        CASES.put("Acls", (client, base) -> {
            CuratorFramework owner = CuratorFrameworkFactory.builder()
                                         .connectString(hosts)
                                         .authorization("digest", bytes("curator:secret"))
                                         .retryPolicy(new RetryNTimes(3, 100))
                                         .build();
            owner.start();
            owner.create().withACL(ZooDefs.Ids.CREATOR_ALL_ACL).forPath(base + "/mine", bytes("x"));
            equal("x", text(owner.getData().forPath(base + "/mine")));
            try {
                client.getData().forPath(base + "/mine");
                check(false, "a protected node was read");
            } catch (KeeperException.NoAuthException expected) {
                equal("digest", owner.getACL().forPath(base + "/mine").get(0).getId().getScheme());
            }
            List<ACL> open =
                Collections.singletonList(new ACL(ZooDefs.Perms.READ, new Id("world", "anyone")));
            owner.setACL().withVersion(0).withACL(open).forPath(base + "/mine");
            equal("x", text(client.getData().forPath(base + "/mine")));
            owner.close();
        });
        CASES.put("Namespaces", (client, base) -> {
            CuratorFramework inside = client.usingNamespace(base.substring(1) + "/ns");
            inside.create().forPath("/n", bytes("x"));
            equal("x", text(client.getData().forPath(base + "/ns/n")));
        });
        CASES.put("ConnectionStates", (client, base) -> {
            BlockingQueue<ConnectionState> seen = new LinkedBlockingQueue<>();
            CuratorFramework other =
                CuratorFrameworkFactory.newClient(hosts, new RetryNTimes(3, 100));
            other.getConnectionStateListenable().addListener((c, state) -> seen.add(state));
            other.start();
            equal(ConnectionState.CONNECTED, next(seen, "CONNECTED"));
            other.create().withMode(CreateMode.EPHEMERAL).forPath(base + "/e");
            other.close();
            equal(null, client.checkExists().forPath(base + "/e"));
        });
        CASES.put("SessionTakenOver", (client, base) -> {
            /* Another connection with the same id and password: the first is closed, and the
             * session lives. The first comes back within a second and then has the session itself:
             * where that was too soon for the other one, both begin anew. */
            boolean done = false;
            for (int i = 0; i < 20 && !done; i++) {
                done = takeOver(client, base + "/e" + i);
            }
            check(done, "a session that was taken over has never served its new owner");
        });
        CASES.put("LargeData", (client, base) -> {
            byte[] data = new byte[1000000];
            new java.util.Random(1).nextBytes(data);
            client.create().forPath(base + "/big", data);
            check(Arrays.equals(data, client.getData().forPath(base + "/big")), "the same");
            client.delete().forPath(base + "/big");
        });
        CASES.put("WatchReturnsAfterReconnect", (client, base) -> {
            CuratorFramework other = connect();
            BlockingQueue<String> seen = new LinkedBlockingQueue<>();
            other.create().forPath(base + "/x");
            other.getData()
                .usingWatcher((Watcher) e -> {
                    if (e.getType() != Watcher.Event.EventType.None) {
                        seen.add(e.getType().toString());
                    }
                })
                .forPath(base + "/x");
            ZooKeeper zk = other.getZookeeperClient().getZooKeeper();
            drop(zk);
            client.setData().forPath(base + "/x", bytes("changed while away"));
            equal("NodeDataChanged", next(seen, "the missed change"));
            other.close();
        });
    }

    /** False if the second connection was lost to the first before it was through. */
    private static boolean takeOver(CuratorFramework client, String path) throws Exception {
        try (CuratorFramework other = connect()) {
            ZooKeeper zk = other.getZookeeperClient().getZooKeeper();
            other.create().withMode(CreateMode.EPHEMERAL).forPath(path);
            CountDownLatch connected = new CountDownLatch(1);
            ZooKeeper twin = new ZooKeeper(hosts, 30000, e -> {
                if (e.getState() == Watcher.Event.KeeperState.SyncConnected) {
                    connected.countDown();
                }
            }, zk.getSessionId(), zk.getSessionPasswd());
            await(connected, "the second connection");
            try {
                equal(zk.getSessionId(), twin.exists(path, false).getEphemeralOwner());
            } catch (KeeperException.ConnectionLossException lost) {
                return false;
            } finally {
                twin.close();
            }
            return client.checkExists().forPath(path) == null;
        }
    }

    /**
     * Closes the socket under a client, which then reconnects by itself: the client's own test
     * hook, by reflection.
     */
    private static void drop(ZooKeeper zk) throws Exception {
        java.lang.reflect.Field cnxn = ZooKeeper.class.getDeclaredField("cnxn");
        cnxn.setAccessible(true);
        java.lang.reflect.Field thread = cnxn.get(zk).getClass().getDeclaredField("sendThread");
        thread.setAccessible(true);
        java.lang.reflect.Method close =
            thread.get(cnxn.get(zk)).getClass().getDeclaredMethod("testableCloseSocket");
        close.setAccessible(true);
        close.invoke(thread.get(cnxn.get(zk)));
    }

    /* ---- counters, barriers, queues, nodes, discovery ---- */

    private static final QueueSerializer<String> STRINGS = new QueueSerializer<String>() {
        @Override
        public byte[] serialize(String item) {
            return bytes(item);
        }

        @Override
        public String deserialize(byte[] b) {
            return text(b);
        }
    };

    private static QueueConsumer<String> consumer(BlockingQueue<String> into) {
        return new QueueConsumer<String>() {
            @Override
            public void consumeMessage(String message) {
                into.add(message);
            }

            @Override
            public void stateChanged(CuratorFramework c, ConnectionState state) {
                /* The tests do not lose their connections. */
            }
        };
    }

    private static void rest() {
        CASES.put("DistributedAtomicLong", (client, base) -> {
            int threads = 4;
            int rounds = 15;
            ExecutorService pool = Executors.newFixedThreadPool(threads);
            List<Future<Void>> futures = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                futures.add(pool.submit(() -> {
                    try (CuratorFramework own = connect()) {
                        DistributedAtomicLong counter = new DistributedAtomicLong(
                            own, base + "/count", new RetryNTimes(1000, 2));
                        for (int n = 0; n < rounds; n++) {
                            check(counter.increment().succeeded(), "increment");
                        }
                    }
                    return null;
                }));
            }
            for (Future<Void> future : futures) {
                future.get(4 * WAIT_S, TimeUnit.SECONDS);
            }
            pool.shutdown();
            DistributedAtomicLong counter =
                new DistributedAtomicLong(client, base + "/count", new RetryNTimes(10, 10));
            equal((long) threads * rounds, counter.get().postValue());
            AtomicValue<Long> swapped = counter.compareAndSet((long) threads * rounds, 7L);
            check(swapped.succeeded() && swapped.postValue() == 7L, "compareAndSet");
            check(!counter.compareAndSet(1L, 2L).succeeded(), "compareAndSet of another value");
        });
        CASES.put("DistributedAtomicInteger", (client, base) -> {
            DistributedAtomicInteger counter =
                new DistributedAtomicInteger(client, base + "/count", new RetryNTimes(10, 10));
            check(counter.initialize(5), "initialize");
            check(!counter.initialize(6), "initialize again");
            equal(8, counter.add(3).postValue());
            equal(2, counter.subtract(6).postValue());
        });
        CASES.put("SharedCount", (client, base) -> {
            try (CuratorFramework other = connect()) {
                SharedCount mine = new SharedCount(client, base + "/shared", 1);
                SharedCount theirs = new SharedCount(other, base + "/shared", 1);
                mine.start();
                theirs.start();
                check(mine.trySetCount(mine.getVersionedValue(), 2), "set");
                eventually(() -> theirs.getCount() == 2, "the other side");
                theirs.setCount(9);
                eventually(() -> mine.getCount() == 9, "this side");
                mine.close();
                theirs.close();
            }
        });
        CASES.put("SharedValue", (client, base) -> {
            SharedValue value = new SharedValue(client, base + "/v", bytes("seed"));
            value.start();
            equal("seed", text(value.getValue()));
            client.setData().forPath(base + "/v", bytes("changed"));
            eventually(() -> "changed".equals(text(value.getValue())), "the change");
            value.close();
        });
        CASES.put("DistributedBarrier", (client, base) -> {
            DistributedBarrier barrier = new DistributedBarrier(client, base + "/barrier");
            barrier.setBarrier();
            ExecutorService pool = Executors.newSingleThreadExecutor();
            AtomicBoolean through = new AtomicBoolean();
            Future<?> waiter = pool.submit(() -> {
                try (CuratorFramework own = connect()) {
                    check(new DistributedBarrier(own, base + "/barrier")
                              .waitOnBarrier(WAIT_S, TimeUnit.SECONDS),
                        "in time");
                    through.set(true);
                }
                return null;
            });
            check(!new DistributedBarrier(client, base + "/barrier")
                       .waitOnBarrier(200, TimeUnit.MILLISECONDS),
                "it is up");
            check(!through.get(), "nobody passes");
            barrier.removeBarrier();
            waiter.get(2 * WAIT_S, TimeUnit.SECONDS);
            pool.shutdown();
        });
        CASES.put("DistributedDoubleBarrier", (client, base) -> {
            int members = 3;
            AtomicInteger entered = new AtomicInteger();
            AtomicInteger left = new AtomicInteger();
            ExecutorService pool = Executors.newFixedThreadPool(members);
            List<Future<Void>> futures = new ArrayList<>();
            for (int i = 0; i < members; i++) {
                futures.add(pool.submit(() -> {
                    try (CuratorFramework own = connect()) {
                        DistributedDoubleBarrier barrier =
                            new DistributedDoubleBarrier(own, base + "/barrier", members);
                        entered.incrementAndGet();
                        check(barrier.enter(WAIT_S, TimeUnit.SECONDS), "enter");
                        check(entered.get() == members, "entered before all were there");
                        left.incrementAndGet();
                        check(barrier.leave(WAIT_S, TimeUnit.SECONDS), "leave");
                        check(left.get() == members, "left before all wanted to");
                    }
                    return null;
                }));
            }
            for (Future<Void> future : futures) {
                future.get(4 * WAIT_S, TimeUnit.SECONDS);
            }
            pool.shutdown();
        });
        CASES.put("DistributedQueue", (client, base) -> {
            BlockingQueue<String> got = new LinkedBlockingQueue<>();
            DistributedQueue<String> queue =
                QueueBuilder.builder(client, consumer(got), STRINGS, base + "/queue")
                    .lockPath(base + "/queue-locks")
                    .buildQueue();
            queue.start();
            for (int i = 0; i < 20; i++) {
                queue.put("item" + i);
            }
            Set<String> all = new HashSet<>();
            for (int i = 0; i < 20; i++) {
                all.add(next(got, "item " + i));
            }
            equal(20, all.size());
            queue.close();
        });
        CASES.put("DistributedQueueOrder", (client, base) -> {
            DistributedQueue<String> producer =
                QueueBuilder.builder(client, (QueueConsumer<String>) null, STRINGS, base + "/queue")
                    .buildQueue();
            producer.start();
            for (int i = 0; i < 20; i++) {
                producer.put("item" + i);
            }
            check(producer.flushPuts(WAIT_S, TimeUnit.SECONDS), "puts are through");
            BlockingQueue<String> got = new LinkedBlockingQueue<>();
            DistributedQueue<String> queue =
                QueueBuilder.builder(client, consumer(got), STRINGS, base + "/queue").buildQueue();
            queue.start();
            for (int i = 0; i < 20; i++) {
                equal("item" + i, next(got, "item " + i));
            }
            queue.close();
            producer.close();
        });
        CASES.put("DistributedPriorityQueue", (client, base) -> {
            BlockingQueue<String> got = new LinkedBlockingQueue<>();
            DistributedPriorityQueue<String> producer =
                QueueBuilder.builder(client, (QueueConsumer<String>) null, STRINGS, base + "/queue")
                    .buildPriorityQueue(0);
            producer.start();
            for (int priority : new int[] {5, 1, 9, 3}) {
                producer.put("p" + priority, priority);
            }
            check(producer.flushPuts(WAIT_S, TimeUnit.SECONDS), "puts are through");
            DistributedPriorityQueue<String> queue =
                QueueBuilder.builder(client, consumer(got), STRINGS, base + "/queue")
                    .buildPriorityQueue(0);
            queue.start();
            for (int priority : new int[] {1, 3, 5, 9}) {
                equal("p" + priority, next(got, "priority " + priority));
            }
            queue.close();
            producer.close();
        });
        CASES.put("DistributedDelayQueue", (client, base) -> {
            BlockingQueue<String> got = new LinkedBlockingQueue<>();
            DistributedDelayQueue<String> queue =
                QueueBuilder.builder(client, consumer(got), STRINGS, base + "/queue")
                    .buildDelayQueue();
            queue.start();
            long now = System.currentTimeMillis();
            queue.put("later", now + 5000);
            queue.put("now", now);
            equal("now", next(got, "the first"));
            equal("later", next(got, "the delayed"));
            check(System.currentTimeMillis() >= now + 5000, "not before its time");
            queue.close();
        });
        CASES.put("SimpleDistributedQueue", (client, base) -> {
            SimpleDistributedQueue queue = new SimpleDistributedQueue(client, base + "/queue");
            equal(null, queue.poll());
            queue.offer(bytes("a"));
            queue.offer(bytes("b"));
            equal("a", text(queue.peek()));
            equal("a", text(queue.take()));
            equal("b", text(queue.poll(WAIT_S, TimeUnit.SECONDS)));
            equal(null, queue.poll(100, TimeUnit.MILLISECONDS));
        });
        CASES.put("PersistentNode", (client, base) -> {
            PersistentNode node =
                new PersistentNode(client, CreateMode.EPHEMERAL, false, base + "/n", bytes("here"));
            node.start();
            check(node.waitForInitialCreate(WAIT_S, TimeUnit.SECONDS), "created");
            client.delete().forPath(base + "/n");
            eventually(() -> client.checkExists().forPath(base + "/n") != null, "it to come back");
            node.close();
            equal(null, client.checkExists().forPath(base + "/n"));
        });
        CASES.put("PersistentTtlNode", (client, base) -> {
            PersistentTtlNode node = new PersistentTtlNode(client, base + "/n", 10000, bytes("x"));
            node.start();
            check(node.waitForInitialCreate(WAIT_S, TimeUnit.SECONDS), "created");
            equal("x", text(client.getData().forPath(base + "/n")));
            node.close();
        });
        CASES.put("GroupMember", (client, base) -> {
            GroupMember a = new GroupMember(client, base + "/group", "a", bytes("1"));
            a.start();
            try (CuratorFramework other = connect()) {
                GroupMember b = new GroupMember(other, base + "/group", "b", bytes("2"));
                b.start();
                eventually(() -> a.getCurrentMembers().size() == 2, "both members");
                equal("2", text(a.getCurrentMembers().get("b")));
                b.close();
                eventually(() -> a.getCurrentMembers().size() == 1, "one member");
            }
            a.close();
        });
        CASES.put("ServiceDiscovery", (client, base) -> {
            ServiceInstance<Void> one = ServiceInstance.<Void>builder()
                                            .name("web")
                                            .id("one")
                                            .address("10.0.0.1")
                                            .port(80)
                                            .build();
            ServiceInstance<Void> two = ServiceInstance.<Void>builder()
                                            .name("web")
                                            .id("two")
                                            .address("10.0.0.2")
                                            .port(81)
                                            .build();
            ServiceDiscovery<Void> discovery = ServiceDiscoveryBuilder.builder(Void.class)
                                                   .client(client)
                                                   .basePath(base + "/services")
                                                   .watchInstances(true)
                                                   .thisInstance(one)
                                                   .build();
            discovery.start();
            discovery.registerService(two);
            equal("[web]", discovery.queryForNames().toString());
            equal(2, discovery.queryForInstances("web").size());
            equal(81, discovery.queryForInstance("web", "two").getPort());
            ServiceCache<Void> cache = discovery.serviceCacheBuilder().name("web").build();
            cache.start();
            equal(2, cache.getInstances().size());
            ServiceProvider<Void> provider =
                discovery.serviceProviderBuilder().serviceName("web").build();
            provider.start();
            Set<String> ids = new TreeSet<>();
            for (int i = 0; i < 4; i++) {
                ids.add(provider.getInstance().getId());
            }
            equal("[one, two]", ids.toString());
            discovery.unregisterService(two);
            eventually(() -> cache.getInstances().size() == 1, "the cache to follow");
            discovery.updateService(one);
            provider.close();
            cache.close();
            discovery.close();
            equal(null, client.checkExists().forPath(base + "/services/web/one"));
        });
    }

    public static void main(String[] args) throws Exception {
        locks();
        leaders();
        caches();
        framework();
        rest();
        if (args.length == 1 && args[0].equals("--list")) {
            CASES.keySet().forEach(System.out::println);
            return;
        }
        hosts = args[0];
        List<String> wanted = args.length > 1 ? Arrays.asList(args).subList(1, args.length)
                                              : new ArrayList<>(CASES.keySet());
        boolean failed = false;
        try (CuratorFramework client = connect()) {
            String root = "/curator-" + Long.toHexString(System.nanoTime());
            client.create().forPath(root);
            for (String name : wanted) {
                String base = root + "/" + name;
                try {
                    client.create().forPath(base);
                    CASES.get(name).run(client, base);
                    System.out.println("PASS " + name);
                } catch (Throwable e) {
                    failed = true;
                    System.out.println("FAIL " + name + ": " + e);
                    for (StackTraceElement at : e.getStackTrace()) {
                        if (at.getClassName().startsWith("CuratorInterop")) {
                            System.out.println("    at " + at);
                        }
                    }
                }
                System.out.flush();
            }
            client.delete().deletingChildrenIfNeeded().forPath(root);
        }
        System.exit(failed ? 1 : 0);
    }
}
