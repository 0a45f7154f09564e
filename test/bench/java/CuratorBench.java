/*
 * What Apache Curator's recipes cost their program. The twin of ../recipes.c: the same commands, the same answers.
 *
 *   java CuratorBench HOSTS
 */
import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.RetryNTimes;

public final class CuratorBench {
    private static final int WAIT_S = 60;
    private static final OperatingSystemMXBean SYSTEM =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private static final List<CuratorFramework> SESSIONS = new ArrayList<>();
    private static String hosts;
    private static int lastHolder; /* the monitor is for what a mutex elsewhere does not order in Java's eyes */
    private static long changes;

    private static CuratorFramework session(int i) throws Exception {
        while (SESSIONS.size() <= i) {
            CuratorFramework client = CuratorFrameworkFactory.builder()
                .connectString(hosts)
                .sessionTimeoutMs(30000)
                .connectionTimeoutMs(15000)
                .retryPolicy(new RetryNTimes(3, 100))
                .build();
            client.start();
            if (!client.blockUntilConnected(WAIT_S, TimeUnit.SECONDS)) {
                throw new IllegalStateException("not connected");
            }
            SESSIONS.add(client);
        }
        return SESSIONS.get(i);
    }

    private static void answerRate(long cpuNs, long wallNs, long turns) {
        double cpu = SYSTEM.getProcessCpuTime() - cpuNs;
        double wall = System.nanoTime() - wallNs;
        System.out.printf(Locale.ROOT, "%.1f %.3f%n", turns / (wall / 1e9), cpu / 1e3 / turns);
    }

    private static void acquire(InterProcessMutex m) throws Exception {
        if (!m.acquire(WAIT_S, TimeUnit.SECONDS)) {
            throw new IllegalStateException("no lock");
        }
    }

    private static void mutex(String path, long n) throws Exception {
        InterProcessMutex m = new InterProcessMutex(session(0), path);
        long cpu = SYSTEM.getProcessCpuTime();
        long wall = System.nanoTime();
        for (long i = 0; i < n; i++) {
            acquire(m);
            m.release();
        }
        answerRate(cpu, wall, n);
    }

    private static synchronized void count(int holder) {
        if (lastHolder != holder) {
            changes++;
        }
        lastHolder = holder;
    }

    private static void handover(String path, int waiters, long n) throws Exception {
        session(waiters);
        ExecutorService threads = Executors.newFixedThreadPool(waiters + 1);
        List<Future<?>> done = new ArrayList<>();
        lastHolder = -1;
        changes = 0;
        long cpu = SYSTEM.getProcessCpuTime();
        long wall = System.nanoTime();
        for (int i = 0; i <= waiters; i++) {
            int me = i;
            InterProcessMutex m = new InterProcessMutex(session(i), path);
            done.add(threads.submit(() -> {
                for (long k = 0; k < n / (waiters + 1); k++) {
                    acquire(m);
                    count(me);
                    m.release();
                }
                return null;
            }));
        }
        for (Future<?> f : done) {
            f.get();
        }
        answerRate(cpu, wall, changes);
        threads.shutdown();
    }

    /* What is reachable. */
    private static double memory() {
        for (int i = 0; i < 3; i++) {
            System.gc();
        }
        Runtime r = Runtime.getRuntime();
        return r.totalMemory() - r.freeMemory();
    }

    private static void cache(String path, int bytes) throws Exception {
        session(0);
        double before = memory();
        CountDownLatch ready = new CountDownLatch(1);
        long cpuNs = SYSTEM.getProcessCpuTime();
        long wallNs = System.nanoTime();
        CuratorCache c = CuratorCache.build(session(0), path);
        c.listenable().addListener(CuratorCacheListener.builder().forInitialized(ready::countDown).build());
        c.start();
        if (!ready.await(WAIT_S, TimeUnit.SECONDS)) {
            throw new IllegalStateException("not initialised");
        }
        double wall = System.nanoTime() - wallNs;
        double cpu = SYSTEM.getProcessCpuTime() - cpuNs;
        double n = c.size();
        System.out.printf(Locale.ROOT, "%.0f %.4f %.4f %.1f%n", n, wall / 1e9, cpu / 1e3 / n,
            (memory() - before) / n - bytes);
        c.close();
    }

    public static void main(String[] args) throws Exception {
        hosts = args[0];
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] w = line.split(" ");
            switch (w[0]) {
                case "mutex": mutex(w[1], Long.parseLong(w[2])); break;
                case "handover": handover(w[1], Integer.parseInt(w[2]), Long.parseLong(w[3])); break;
                case "cache": cache(w[1], Integer.parseInt(w[2])); break;
                default: throw new IllegalArgumentException(line);
            }
        }
        for (CuratorFramework client : SESSIONS) {
            client.close();
        }
        System.exit(0);
    }
}
