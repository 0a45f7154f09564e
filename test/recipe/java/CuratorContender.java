/*
 * The Java half of a contest: Apache Curator's recipes on the paths that contender.c uses at the same time.
 *
 *   java CuratorContender host:port /base rounds contest ...
 *
 * prints "PASS contest" or "FAIL contest: reason" for each.
 */
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.leader.Participant;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Revoker;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;

public final class CuratorContender {
    private static final int WAIT_S = 60;
    private static final int LEASES = 2;
    private static final int REFUSED_MS = 50;
    static CuratorFramework client;
    static String base;
    static int rounds;

    static void check(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    static void eventually(Callable<Boolean> isTrue, String what) throws Exception {
        long end = System.currentTimeMillis() + WAIT_S * 1000L;
        while (!isTrue.call()) {
            check(System.currentTimeMillis() < end, "never: " + what);
            Thread.sleep(2);
        }
    }

    static boolean isThere(String path) throws Exception {
        return client.checkExists().forPath(path) != null;
    }

    /* Nobody else may be here: a second one could not create the node. What follows is as in contender.c. */
    private static void alone(String queue, int turn) throws Exception {
        client.create().withMode(CreateMode.EPHEMERAL).forPath(base + "/inside");
        byte[] before = client.getData().forPath(base + "/history");
        byte[] after = Arrays.copyOf(before, before.length + 1);
        after[before.length] = 'j';
        client.setData().forPath(base + "/history", after);
        if (turn % 2 == 0) {
            eventually(() -> client.getChildren().forPath(base + queue).size() >= 2 || isThere(base + "/done-c"),
                    "another in the queue");
        }
        client.setData().forPath(base + "/mirror", after);
        client.delete().forPath(base + "/inside");
    }

    private static void exclusive(InterProcessLock lock, String queue) throws Exception {
        for (int i = 0; i < rounds; i++) {
            check(lock.acquire(WAIT_S, TimeUnit.SECONDS), "no lock");
            try {
                alone(queue, i);
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
                alone("/lock", i);
            } else {
                String me = client.create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(base + "/readers/r");
                check(!isThere(base + "/inside"), "a writer beside a reader");
                byte[] mirror = client.getData().forPath(base + "/mirror");
                check(Arrays.equals(mirror, client.getData().forPath(base + "/history")), "a half-written value");
                client.delete().forPath(me);
            }
            one.release();
        }
        create(base + "/done-java", "");
        meet("before-reading");
        check(lock.readLock().acquire(WAIT_S, TimeUnit.SECONDS), "no lock to read");
        meet("reading");
        lock.readLock().release();
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
            alone("/lock", i);
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
                        alone("/lock", terms.get());
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
        create(base + "/done-java", "");
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
        InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(client, base + "/lock", LEASES);
        Lease one = semaphore.acquire(WAIT_S, TimeUnit.SECONDS);
        meet("one-each");
        check(semaphore.acquire(REFUSED_MS, TimeUnit.MILLISECONDS) == null, "three leases of two");
        meet("no-more");
        semaphore.returnLease(one);
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

    private static void barrier() throws Exception {
        DistributedBarrier ours = new DistributedBarrier(client, base + "/of-java");
        DistributedBarrier theirs = new DistributedBarrier(client, base + "/of-c");
        ours.setBarrier();
        meet("set");
        check(!theirs.waitOnBarrier(REFUSED_MS, TimeUnit.MILLISECONDS), "no barrier");
        meet("waited");
        ours.removeBarrier();
        check(theirs.waitOnBarrier(WAIT_S, TimeUnit.SECONDS), "the barrier stays");
    }

    /* What one has the other does not get, until it is given back. */
    private static void refuse(String name, InterProcessLock theirs, InterProcessLock ours) throws Exception {
        meet(name + "-c-held");
        check(!ours.acquire(REFUSED_MS, TimeUnit.MILLISECONDS), name + " was free");
        meet(name + "-c-refused");
        check(ours.acquire(WAIT_S, TimeUnit.SECONDS), name + " was not given back");
        ours.release();
        check(theirs.acquire(WAIT_S, TimeUnit.SECONDS), "no " + name);
        meet(name + "-java-held");
        meet(name + "-java-refused");
        theirs.release();
    }

    /* Each holds the one, and tries for the other. */
    private static void refused() throws Exception {
        InterProcessMutex mutex = new InterProcessMutex(client, base + "/mutex");
        InterProcessMutex free = new InterProcessMutex(client, base + "/free");
        InterProcessLock semaphore = new InterProcessSemaphoreMutex(client, base + "/semaphore");
        InterProcessReadWriteLock rw = new InterProcessReadWriteLock(client, base + "/rw");
        refuse("mutex", mutex, mutex);
        refuse("semaphore", semaphore, semaphore);
        meet("multi");
        refuse("multi", mutex, new InterProcessMultiLock(Arrays.asList(free, mutex)));
        meet("read-write");
        refuse("read", rw.readLock(), rw.writeLock());
        meet("write-read");
        refuse("write", rw.writeLock(), rw.readLock());
        meet("write-write");
        refuse("write-write", rw.writeLock(), rw.writeLock());
    }

    private static void revocation() throws Exception {
        InterProcessMutex mutex = new InterProcessMutex(client, base + "/lock");
        CountDownLatch asked = new CountDownLatch(1);
        mutex.makeRevocable(m -> asked.countDown());
        meet("ours");
        Collection<String> holders = mutex.getParticipantNodes();
        check(holders.size() == 1, "holders: " + holders);
        Revoker.attemptRevoke(client, holders.iterator().next());
        check(mutex.acquire(WAIT_S, TimeUnit.SECONDS), "it was not given back");
        meet("theirs");
        check(asked.await(WAIT_S, TimeUnit.SECONDS), "we were not asked");
        mutex.release();
    }

    private static void run(String contest) throws Exception {
        switch (contest) {
            case "mutex": exclusive(new InterProcessMutex(client, base + "/lock"), "/lock"); break;
            case "semaphore_mutex":
                exclusive(new InterProcessSemaphoreMutex(client, base + "/lock"), "/lock/leases");
                break;
            case "multi_lock":
                exclusive(new InterProcessMultiLock(client, Arrays.asList(base + "/first", base + "/lock")), "/first");
                break;
            case "read_write": readWrite(); break;
            case "latch": latch(); break;
            case "selector": selector(); break;
            case "semaphore": semaphore(); break;
            case "double_barrier": doubleBarrier(); break;
            case "barrier": barrier(); break;
            case "refused": refused(); break;
            case "revoke": revocation(); break;
            default: CuratorSharing.run(contest);
        }
    }

    /* Both programs come to this point, or neither goes on. */
    static void meet(String where) throws Exception {
        client.create().creatingParentsIfNeeded().forPath(base + "/met-" + where + "/java");
        eventually(() -> client.getChildren().forPath(base + "/met-" + where).size() >= 2, "both at " + where);
    }

    static void create(String path, String data) throws Exception {
        try {
            client.create().creatingParentsIfNeeded().forPath(path, data.getBytes());
        } catch (KeeperException.NodeExistsException e) {
            // the other one was first
        }
    }

    public static void main(String[] args) throws Exception {
        client = CuratorFrameworkFactory.newClient(args[0], 40000, 60000, new RetryNTimes(300, 200));
        client.start();
        rounds = Integer.parseInt(args[2]);
        for (int i = 3; i < args.length; i++) {
            base = args[1] + "/" + args[i];
            try {
                create(base + "/history", "");
                create(base + "/mirror", "");
                create(base + "/readers", "");
                meet("start");
                run(args[i]);
                create(base + "/done-java", "");
                meet("end");
                System.out.println("PASS " + args[i]);
            } catch (Throwable t) {
                System.out.println("FAIL " + args[i] + ": " + t);
                t.printStackTrace(System.out);
                System.exit(1); // the other one would wait for us in vain
            }
        }
        client.close();
    }
}
