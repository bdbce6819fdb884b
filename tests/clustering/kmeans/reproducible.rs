//! The same bits for any number of threads, the same label in any company.

use super::*;

/// The bits of whatever is a number.
struct Bits(Vec<u64>);

impl Bits {
    fn add<F: Float>(&mut self, numbers: impl IntoIterator<Item = F>) {
        self.0.extend(numbers.into_iter().map(|v| v.as_f64().to_bits()));
    }

    fn of_fit<F: Float>(&mut self, x: &Array2<F>, mut kmeans: KMeans<F>, weights: Option<&Array1<F>>) {
        let report = match weights {
            Some(weights) => kmeans.fit_weighted(x, weights).unwrap(),
            None => kmeans.fit(x).unwrap(),
        };
        self.add(report.history);
        self.add([report.inertia, report.n_iter as f64]);
        self.add(kmeans.labels().unwrap().mapv(|label| label as f64));
        self.add(kmeans.cluster_centers().unwrap().iter().copied());
        self.add(kmeans.predict(x).unwrap().mapv(|label| label as f64));
        self.add(kmeans.transform(&x.slice(s![..x.nrows().min(700), ..])).unwrap());
        self.add([kmeans.score(x).unwrap()]);
    }
}

#[cfg(feature = "rayon")]
#[test]
fn the_bits_do_not_depend_on_threads() {
    // The first two are few enough to be kept as the search reads them; more than a MiB is passed over.
    let few = normal::<f32>(6_000, 10, 1);
    let less = normal::<f64>(2_000, 8, 2);
    let large = normal::<f32>(30_000, 10, 1);
    let many = normal::<f64>(20_000, 8, 2);
    let wide = normal::<f32>(2_000, 300, 5);
    let blobs = make_blobs::<f32>(20_000, &(normal::<f32>(24, 16, 3) * 6.0), 1.0, 4).unwrap().data;
    let weights = Array1::from_shape_fn(20_000, |row| 0.1 + (row % 7) as f32);
    let of = |n_threads: usize| {
        rayon_pool(n_threads).install(|| {
            let mut bits = Bits(Vec::new());
            for seed in 0..20 {
                bits.of_fit(&few, KMeans::new(9).seed(seed).max_iter(3), None);
                bits.of_fit(&large, KMeans::new(9).seed(seed).max_iter(3), None);
                // Enough clusters and numbers for rows to be skipped.
                bits.of_fit(&blobs, KMeans::new(24).seed(seed).max_iter(15).tol(0.0), None);
            }
            // Enough values that two threads have separate sums and eight share them.
            let first = KMeansInit::Centers(wide.slice(s![..600, ..]).to_owned());
            bits.of_fit(&wide, KMeans::new(600).init(first).max_iter(3), None);
            bits.of_fit(&many, KMeans::new(500).seed(3).max_iter(3), None);
            bits.of_fit(&less, KMeans::new(150).seed(3).max_iter(3), None);
            bits.of_fit(&blobs, KMeans::new(12).init(KMeansInit::Random).n_init(3), Some(&weights));
            bits.of_fit(&blobs, KMeans::new(12).spherical(true).max_points_per_center(100), None);
            let mut batches = MiniBatchKMeans::new(24).max_iter(3);
            bits.add([batches.fit(&blobs).unwrap().inertia]);
            bits.add(batches.cluster_centers().unwrap().iter().copied());
            let mut halves = BisectingKMeans::new(9);
            bits.add([halves.fit(&blobs).unwrap().inertia]);
            bits.add(halves.cluster_centers().unwrap().iter().copied());
            // Rows that are compared by differences, and by products.
            let labels = Array1::from_shape_fn(2_000, |row| row % 3);
            bits.add(silhouette_samples(&less, &labels).unwrap());
            bits.add(silhouette_samples(&wide, &labels).unwrap());
            bits.0
        })
    };
    let alone = of(1);
    for n_threads in [2, 8] {
        assert!(of(n_threads) == alone, "{n_threads} threads");
    }
}

/// Blobs from integers and exact operations alone, the same bits on every processor.
fn integer_blobs<F: Float>(n: usize, d: usize, n_blobs: u64, seed: u64) -> Array2<F> {
    let mut state = seed;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    let centers = Array2::from_shape_fn((n_blobs as usize, d), |_| 20.0 * uniform());
    Array2::from_shape_fn((n, d), |(row, column)| {
        let noise = uniform() + uniform() + uniform() - 1.5;
        F::of(centers[[row * 7 % n_blobs as usize, column]] + 3.0 * noise)
    })
}

/// FNV-1a.
fn digest(bits: &Bits) -> String {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let bytes = bits.0.iter().flat_map(|bits| bits.to_le_bytes());
    format!("{:016x}", bytes.fold(0xcbf2_9ce4_8422_2325, mix))
}

/// Rows, features and clusters. The last have enough features and clusters for k-means++ to skip rows.
const SIZES: [(usize, usize, usize); 5] =
    [(3_000, 2, 9), (1_500, 10, 16), (901, 16, 33), (500, 65, 12), (400, 300, 120)];

/// The recorded digests hold for every instruction set, pointer width, byte order and number of threads.
#[test]
fn the_bits_of_a_start_are_the_same_on_every_processor() {
    fn in_precision<F: Float>() -> [String; 5] {
        SIZES.map(|(n, d, k)| {
            let x = integer_blobs::<F>(n, d, k as u64 + 3, (n + d) as u64);
            let weights = Array1::from_shape_fn(n, |row| F::of(0.1 * (1 + row % 7) as f64));
            let start = KMeansInit::Centers(x.slice(s![..k, ..]).to_owned());
            let mut bits = Bits(Vec::new());
            bits.of_fit(&x, KMeans::new(k).init(start.clone()).max_iter(4), None);
            bits.of_fit(&x, KMeans::new(k).init(start.clone()).max_iter(4), Some(&weights));
            bits.of_fit(&x, KMeans::new(k).init(start).spherical(true).max_iter(4), None);
            bits.of_fit(&x, KMeans::new(k).init(KMeansInit::Random).n_init(2).max_iter(4), None);
            let mut batches = MiniBatchKMeans::new(k).init(KMeansInit::Random).max_iter(2);
            bits.add([batches.fit(&x).unwrap().inertia]);
            bits.add(batches.cluster_centers().unwrap().iter().copied());
            digest(&bits)
        })
    }
    let f32s =
        ["4944556329ec05ad", "965b1af6d507fd79", "4d52eff5c8176a80", "ba03000ded8d753f", "2f71da334f9a84bf"];
    let f64s =
        ["1dcab65073d843b8", "375d825c80abfa14", "0768812125f19d3c", "a8afd90a8724ece5", "a236d69c7ec7a085"];
    assert_eq!(
        (in_precision::<f32>(), in_precision::<f64>()),
        (f32s.map(String::from), f64s.map(String::from))
    );
}

/// Scalar code has no fused multiply-add, and its sums differ in the last digits; that changes none of these choices.
#[test]
fn kmeans_plus_plus_chooses_the_same_rows_on_every_processor() {
    fn in_precision<F: Float>() -> [String; 5] {
        SIZES.map(|(n, d, k)| {
            let x = integer_blobs::<F>(n, d, k as u64 + 3, (n + d) as u64);
            let weights = Array1::from_shape_fn(n, |row| F::of(0.1 * (1 + row % 7) as f64));
            let mut bits = Bits(Vec::new());
            for seed in 0..4 {
                bits.of_fit(&x, KMeans::new(k).seed(seed).max_iter(1), None);
                bits.of_fit(&x, KMeans::new(k).seed(seed).max_iter(1), Some(&weights));
            }
            let mut halves = BisectingKMeans::new(6);
            bits.add([halves.fit(&x).unwrap().inertia]);
            bits.add(halves.cluster_centers().unwrap().iter().copied());
            digest(&bits)
        })
    }
    let f32s =
        ["85323c51ddb10ca8", "fdc1f3c96d039697", "ace52c0e28f5b6b5", "32843f60ef7a3c85", "e64bd7f8dbcb7e5a"];
    let f64s =
        ["05209eb323baec60", "3f80a1dcf9bf3821", "3a7123aaa0268981", "a7ffeb9cab3a5d8e", "9a8b3d899ebcb431"];
    assert_eq!(
        (in_precision::<f32>(), in_precision::<f64>()),
        (f32s.map(String::from), f64s.map(String::from))
    );
}

#[test]
fn fits_at_the_same_time_do_not_disturb_each_other() {
    fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<(KMeans<f32>, MiniBatchKMeans<f32>, BisectingKMeans<f64>)>();
    let x = normal::<f32>(6_000, 10, 1);
    let fit = |seed: u64| {
        let mut kmeans = KMeans::new(9).seed(seed).max_iter(3);
        let inertia = kmeans.fit(&x).unwrap().inertia;
        (kmeans, inertia)
    };
    let alone: Vec<(KMeans<f32>, f64)> = (0..4).map(fit).collect();
    let (first, rows) = (&alone[0].0, x.slice(s![..500, ..]));
    // One fitted clustering asked by several threads, from its first answer on.
    let fresh = first.clone();
    let want = first.predict(&rows).unwrap();
    std::thread::scope(|scope| {
        let fits: Vec<_> = (0..4).map(|seed| scope.spawn(move || fit(seed).1)).collect();
        let asked: Vec<_> = (0..4).map(|_| scope.spawn(|| fresh.predict(&rows).unwrap())).collect();
        for (fit, (_, inertia)) in fits.into_iter().zip(&alone) {
            assert_eq!(fit.join().unwrap().to_bits(), inertia.to_bits());
        }
        asked.into_iter().for_each(|asked| assert_eq!(asked.join().unwrap(), want));
    });
}

#[cfg(feature = "rayon")]
fn rayon_pool(n_threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap()
}

#[test]
fn a_rows_label_is_the_same_in_a_batch_of_any_size_and_order() {
    fn in_precision<F: Float>() {
        // Rows in the middle between centers: whatever rounds otherwise shows.
        for (d, k) in [(1, 5), (3, 17), (16, 12), (33, 40)] {
            let centers = normal::<F>(k, d, 1);
            let mut kmeans = KMeans::new(k).init(KMeansInit::Centers(centers.clone())).max_iter(1);
            kmeans.fit(&centers).unwrap();
            let mut rng = Rng::new(d as u64, Purpose::Other, 0);
            let x = Array2::from_shape_fn((3000, d), |(row, feature)| {
                F::of(0.5) * (centers[[row % k, feature]] + centers[[(row * 7 + 1) % k, feature]])
            });
            let all = kmeans.predict(&x).unwrap();
            let order = rng.permutation(3000);
            assert_eq!(kmeans.predict(&x.select(Axis(0), &order)).unwrap(), all.select(Axis(0), &order));
            for batch in [1, 2, 7, 16, 100, 257, 1024] {
                let parts = x.axis_chunks_iter(Axis(0), batch).take(300);
                let parts: Vec<usize> =
                    parts.flat_map(|part| kmeans.predict(&part).unwrap().to_vec()).collect();
                assert_eq!(parts, all.to_vec()[..parts.len()], "d = {d}, k = {k}, batches of {batch}");
            }
        }
    }
    in_precision::<f32>();
    in_precision::<f64>();
}
