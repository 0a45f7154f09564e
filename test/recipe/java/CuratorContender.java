/*
 * The Java half of a contest: Apache Curator's recipes on the paths that contender.c uses at the same time.
 *
 *   java CuratorContender host:port /base rounds contest ...
 *
 * prints "PASS contest" or "FAIL contest: reason" for each.
 */
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.leader.Participant;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.VersionedValue;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;

public final class CuratorContender {
    private static final int WAIT_S = 60;
    private static final int LEASES = 2;
    private static CuratorFramework client;
    private static String base;
    private static int rounds;

    private static void check(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    /* Nobody else may be here: a second one could not create the node. */
    private static void alone() throws Exception {
        client.create().withMode(CreateMode.EPHEMERAL).forPath(base + "/inside");
        client.delete().forPath(base + "/inside");
        byte[] before = client.getData().forPath(base + "/counter");
        int n = Integer.parseInt(new String(before)) + 1;
        client.setData().forPath(base + "/counter", Integer.toString(n).getBytes());
    }

    private static void exclusive(InterProcessLock lock) throws Exception {
        for (int i = 0; i < rounds; i++) {
            check(lock.acquire(WAIT_S, TimeUnit.SECONDS), "no lock");
            try {
                alone();
            } finally {
                lock.release();
            }
        }
    }

    private static void readWrite() throws Exception {
        InterProcessReadWriteLock lock = new InterProcessReadWriteLock(client, base + "/lock");
        for (int i = 0; i < rounds; i++) {
            boolean writes = i % 3 == 0;
            InterProcessMutex one = writes ? lock.writeLock() : lock.readLock();
            check(one.acquire(WAIT_S, TimeUnit.SECONDS), "no lock");
            if (writes) {
                check(client.getChildren().forPath(base + "/readers").isEmpty(), "a reader beside a writer");
                alone();
            } else {
                String me = client.create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(base + "/readers/r");
                check(client.checkExists().forPath(base + "/inside") == null, "a writer beside a reader");
                client.delete().forPath(me);
            }
            one.release();
        }
    }

    private static void latch() throws Exception {
        for (int i = 0; i < rounds; i++) {
            LeaderLatch latch = new LeaderLatch(client, base + "/lock", "java");
            latch.start();
            check(latch.await(WAIT_S, TimeUnit.SECONDS), "no leadership");
            for (Participant p : latch.getParticipants()) {
                check(p.getId().equals("java") || p.getId().equals("c"), "participant " + p.getId());
            }
            check(latch.getLeader().getId().equals("java"), "leader " + latch.getLeader());
            alone();
            latch.close();
        }
    }

    private static void selector() throws Exception {
        AtomicInteger terms = new AtomicInteger();
        AtomicReference<Throwable> wrong = new AtomicReference<>();
        LeaderSelector selector = new LeaderSelector(client, base + "/lock", new LeaderSelectorListenerAdapter() {
            @Override
            public void takeLeadership(CuratorFramework f) {
                try {
                    if (terms.get() < rounds) {
                        alone();
                        terms.incrementAndGet();
                    }
                } catch (Throwable t) {
                    wrong.set(t);
                }
            }
        });
        selector.setId("java");
        selector.autoRequeue();
        selector.start();
        long end = System.currentTimeMillis() + WAIT_S * 1000L;
        while (terms.get() < rounds && wrong.get() == null && System.currentTimeMillis() < end) {
            Thread.sleep(5);
        }
        selector.close();
        check(wrong.get() == null, "" + wrong.get());
        check(terms.get() == rounds, terms + " terms");
    }

    private static void semaphore() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(LEASES);
        List<Future<?>> done = new ArrayList<>();
        for (int t = 0; t < LEASES; t++) {
            InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(client, base + "/lock", LEASES);
            done.add(threads.submit((Callable<Void>) () -> {
                for (int i = 0; i < rounds; i++) {
                    Lease lease = semaphore.acquire(WAIT_S, TimeUnit.SECONDS);
                    check(lease != null, "no lease");
                    String me = client.create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(base + "/readers/r");
                    check(client.getChildren().forPath(base + "/readers").size() <= LEASES, "too many leases");
                    client.delete().forPath(me);
                    semaphore.returnLease(lease);
                }
                return null;
            }));
        }
        for (Future<?> f : done) {
            f.get();
        }
        threads.shutdown();
    }

    private static void doubleBarrier() throws Exception {
        for (int i = 0; i < rounds; i++) {
            DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(client, base + "/lock/" + i, 2);
            client.create().creatingParentsIfNeeded().forPath(base + "/came/" + i + "/java");
            check(barrier.enter(WAIT_S, TimeUnit.SECONDS), "not entered");
            check(client.checkExists().forPath(base + "/came/" + i + "/c") != null, "entered alone");
            client.create().creatingParentsIfNeeded().forPath(base + "/went/" + i + "/java");
            check(barrier.leave(WAIT_S, TimeUnit.SECONDS), "not left");
            check(client.checkExists().forPath(base + "/went/" + i + "/c") != null, "left alone");
        }
    }

    private static void count() throws Exception {
        SharedCount count = new SharedCount(client, base + "/lock", 0);
        count.start();
        for (int i = 0; i < rounds; i++) {
            VersionedValue<Integer> now = count.getVersionedValue();
            while (!count.trySetCount(now, now.getValue() + 1)) {
                now = count.getVersionedValue();
            }
        }
        count.close();
    }

    private static void compressed() throws Exception {
        String text = "zokor ".repeat(1000);
        client.create().compressed().forPath(base + "/java-data", text.getBytes());
        meet("compressed");
        check(text.equals(new String(client.getData().decompressed().forPath(base + "/c-data"))), "other data");
    }

    private static void run(String contest) throws Exception {
        switch (contest) {
            case "mutex": exclusive(new InterProcessMutex(client, base + "/lock")); break;
            case "semaphore_mutex": exclusive(new InterProcessSemaphoreMutex(client, base + "/lock")); break;
            case "read_write": readWrite(); break;
            case "latch": latch(); break;
            case "selector": selector(); break;
            case "semaphore": semaphore(); break;
            case "double_barrier": doubleBarrier(); break;
            case "count": count(); break;
            case "compressed": compressed(); break;
            default: throw new IllegalArgumentException(contest);
        }
    }

    /* Both programs come to this point, or neither goes on. */
    private static void meet(String where) throws Exception {
        client.create().creatingParentsIfNeeded().forPath(base + "/met-" + where + "/java");
        long end = System.currentTimeMillis() + WAIT_S * 1000L;
        while (client.getChildren().forPath(base + "/met-" + where).size() < 2) {
            check(System.currentTimeMillis() < end, "the other one did not come");
            Thread.sleep(2);
        }
    }

    private static void create(String path, String data) throws Exception {
        try {
            client.create().creatingParentsIfNeeded().forPath(path, data.getBytes());
        } catch (KeeperException.NodeExistsException e) {
            // the other one was first
        }
    }

    public static void main(String[] args) throws Exception {
        client = CuratorFrameworkFactory.newClient(args[0], 10000, 10000, new RetryNTimes(5, 200));
        client.start();
        rounds = Integer.parseInt(args[2]);
        for (int i = 3; i < args.length; i++) {
            base = args[1] + "/" + args[i];
            try {
                create(base + "/counter", "0");
                create(base + "/readers", "");
                meet("start");
                run(args[i]);
                meet("end");
                System.out.println("PASS " + args[i]);
            } catch (Throwable t) {
                System.out.println("FAIL " + args[i] + ": " + t);
                t.printStackTrace(System.out);
            }
        }
        client.close();
    }
}
