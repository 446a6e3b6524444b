"""What several tests share: videos with known answers, small networks in place of large ones, servers."""
